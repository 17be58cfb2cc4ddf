"""Longshore against others, and its API under load: figures for docs/performance.md."""
