"""Upload sessions: what a registry gives for a blob that is being sent (distribution spec, "Pushing blobs")."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UploadSession:
    """An open upload; `location` is the absolute address that the registry gave, to be used as it is."""

    location: str
