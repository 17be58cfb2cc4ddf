"""The subcommands about rules, tokens, stored registries and the audit log."""
