"""A stand-in for Harbor: docker-registry behind Harbor's rules and the part of its API that Longshore uses.

It behaves as goharbor/harbor's source does; comments name the file where that is surprising. It lacks accessories
(signatures count as ordinary artifacts), scanning, replication, proxy caches, garbage collection and a user interface.
`Harbor` in server.py starts it; `create_app` in app.py runs it in the process of a test.
"""
