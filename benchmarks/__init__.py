"""Benchmarks: Longshore compared with other tools, and its API under load. The figures are for docs/performance.md."""
