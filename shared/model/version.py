"""The version of the installed distribution."""

from functools import cache
from importlib import metadata


@cache
def product_version() -> str:
    """Return the version; "0" for a source tree that is not installed.

    Cached, because the lookup reads the disk and every request sends the version.
    """
    try:
        return metadata.version("longshore")
    except metadata.PackageNotFoundError:
        return "0"
