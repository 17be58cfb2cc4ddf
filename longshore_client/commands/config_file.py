"""What `longshore login` keeps: one file, readable by its owner alone."""

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from longshore_client.access import Access

# The owner reads and writes; nobody else does anything.
FILE_MODE = 0o600
FOLDER_MODE = 0o700
_OTHERS = 0o077


class ConfigFileError(Exception):
    """The file is there and cannot be used."""


def config_path(environment: Mapping[str, str]) -> Path:
    """Return where the file is (XDG base directory specification)."""
    base = environment.get("XDG_CONFIG_HOME", "")
    home = Path(base) if Path(base).is_absolute() else Path.home() / ".config"
    return home / "longshore" / "config.json"


def read_access(path: Path) -> Access | None:
    """Return what is kept, None where nothing is; raises ConfigFileError."""
    try:
        document = json.loads(path.read_text())
        return Access(url=str(document["url"]), token=str(document["token"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is damaged"
        raise ConfigFileError(f"{path} cannot be read: {reason}") from None


def write_access(path: Path, access: Access) -> None:
    """Keep it, in one step: readers see the old file or the new one, and nobody else ever sees either."""
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


def forget_access(path: Path) -> bool:
    """Remove the file; tells whether there was one."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def open_to_others(path: Path) -> bool:
    """Tell whether somebody else may read the file."""
    return bool(path.stat().st_mode & _OTHERS)
