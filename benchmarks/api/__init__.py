"""The API under load: list pages at two sizes, accepted imports, and bare services as a reference."""
