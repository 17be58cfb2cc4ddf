"""The file in which `longshore login` stores the address and the token; only its owner can read it."""

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from longshore_client.access import Access

# Access for the owner alone.
FILE_MODE = 0o600
FOLDER_MODE = 0o700
_OTHERS = 0o077


class ConfigFileError(Exception):
    """The file exists and cannot be used, or it cannot be written."""


def config_path(environment: Mapping[str, str]) -> Path:
    """Return the path of the file (XDG base directory specification)."""
    base = environment.get("XDG_CONFIG_HOME", "")
    home = Path(base) if Path(base).is_absolute() else Path.home() / ".config"
    return home / "longshore" / "config.json"


def read_access(path: Path) -> Access | None:
    """Return the stored access, or None without a file; raises ConfigFileError."""
    try:
        document = json.loads(path.read_text())
        return Access(url=str(document["url"]), token=str(document["token"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is damaged"
        raise ConfigFileError(f"{path} cannot be read: {reason}") from None


def write_access(path: Path, access: Access) -> None:
    """Store the access by one rename: readers see the old file or the new one. Other users can read neither."""
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "w") as file:
            json.dump({"url": access.url, "token": access.token}, file, indent=2)
        fresh.replace(path)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink()
        raise ConfigFileError(f"{path} cannot be written: {error.strerror}") from None


def delete_access(path: Path) -> bool:
    """Remove the file; returns whether there was one."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def readable_by_others(path: Path) -> bool:
    """Return whether other users may read the file."""
    return bool(path.stat().st_mode & _OTHERS)
