"""HTTP/1.1 over blocking sockets in threads, for what is large: a layer's bytes go through a buffer, and no further.

aiohttp's streams cost about twice the CPU seconds a gigabyte (docs/performance.md), because every byte is copied into
objects of the interpreter and passes the event loop. Everything small stays with aiohttp.
"""
