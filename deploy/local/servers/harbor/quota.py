"""A project's quota (src/controller/quota/controller.go).

Harbor reserves what a request will add before it does it: for a blob at its PUT, by the Content-Length; for a mount
at its POST; for a manifest with those of its blobs that the project does not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from deploy.local.servers.harbor.errors import denied
from deploy.local.servers.harbor.project import Project

UNLIMITED = -1
_UNIT = 1024


@contextmanager
def reserved(project: Project, size: int) -> Iterator[None]:
    """Hold room for a request; HarborError (403 DENIED) where there is none."""
    used = project.used + project.reserved
    if size and project.hard != UNLIMITED and used + size > project.hard:
        cause = (
            f"adding {display(size)} of storage resource, which when updated to current usage of {display(used)} "
            f"will exceed the configured upper limit of {display(project.hard)}."
        )
        # An error with a cause has both in its message: src/lib/errors/errors.go, MarshalJSON.
        raise denied(f"Quota exceeded when processing the request of {cause}: {cause}")
    project.reserved += size
    try:
        yield
    finally:
        project.reserved -= size


def display(value: int) -> str:
    """Write bytes as Harbor does (src/pkg/quota/types/format.go)."""
    if value < _UNIT:
        return f"{value} B"
    power = (value.bit_length() - 1) // 10
    return f"{value / _UNIT**power:.1f} {'KMGTPE'[power - 1]}iB"
