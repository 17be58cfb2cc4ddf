"""The version of the installed distribution."""

from functools import cache
from importlib import metadata


@cache
def product_version() -> str:
    """Return the version; a source tree that was never installed has none, which is written as 0.

    It is looked up on disk, and stands in every request's head.
    """
    try:
        return metadata.version("longshore")
    except metadata.PackageNotFoundError:
        return "0"
