"""The `longshore` command: what each of its parts does."""
