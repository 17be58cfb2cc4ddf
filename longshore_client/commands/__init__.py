"""The subcommands of `longshore`."""
