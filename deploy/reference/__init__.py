"""Keeps what documents say of settings and error codes as the code has it; `make docs` runs it."""
