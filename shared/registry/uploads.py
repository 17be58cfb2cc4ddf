"""Upload sessions: what a registry gives for a blob that is being sent (distribution spec, "Pushing blobs")."""

import re
from dataclasses import dataclass

_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class UploadSession:
    """An open upload; `location` is the absolute address that the registry gave, to be used as it is."""

    location: str


def bytes_taken(stated: str | None) -> int | None:
    """Read an upload's Range field, `0-<offset of the last byte>`; None where it proves nothing.

    `0-0` is what registries say of an upload without bytes, though it means one.
    """
    found = _RANGE.fullmatch(stated or "")
    return int(found[1]) + 1 if found and int(found[1]) else None
