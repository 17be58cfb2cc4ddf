"""Output for people: bars, lines, tables and errors."""
