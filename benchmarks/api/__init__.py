"""The API under load: pages of lists at two sizes, accepted imports, and bare services to hold them against."""
