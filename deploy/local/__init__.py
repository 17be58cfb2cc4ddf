"""Private instances of every server that Longshore needs, for the demo, the tests and the benchmarks.

The public names are in `deploy.local.stack`; README.md in this folder shows how to use them.
"""
