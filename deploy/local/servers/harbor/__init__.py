"""A stand-in for Harbor: docker-registry, with Harbor's rules and the used part of its API in front of it.

Its behaviours are those of goharbor/harbor's source, named where they are surprising. What it has not: accessories
(signatures count as ordinary artifacts), scanning, replication, proxy caches, garbage collection, a user interface.
`Harbor` in server.py starts it; `create_app` in app.py is for a test that wants it in its own process.
"""
