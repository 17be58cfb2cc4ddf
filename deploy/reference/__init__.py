"""Updates the reference pages of settings and error codes from the code; `make docs` runs it."""
