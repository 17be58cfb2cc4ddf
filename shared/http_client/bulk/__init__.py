"""HTTP/1.1 over blocking sockets in threads, for large bodies: a layer's bytes pass through one buffer.

aiohttp's streams need about twice the CPU seconds per gigabyte (docs/performance.md), because every byte is copied into
Python objects and passes the event loop. Small requests stay with aiohttp. Why: docs/decisions/0004.
"""
