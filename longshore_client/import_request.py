"""What is to be imported."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from longshore_client.account import Credentials, credentials_json


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """An image as for docker pull, and how it is to be imported; `platforms` empty means all.

    `target` is `project/repository:tag`; without one the API chooses. `force` imports a ready image again. `referrers`
    says whether signatures, SBOMs and the like come along; None leaves that to the API.
    """

    source: str
    target: str | None = None
    platforms: tuple[str, ...] = ()
    credentials: Credentials | None = None
    description: str | None = None
    force: bool = False
    referrers: bool | None = None

    def body(self, *, dry_run: bool = False) -> Mapping[str, Any]:
        """Return the body of POST /images:import."""
        given: dict[str, Any] = {"source": self.source}
        if self.target:
            given["target"] = self.target
        if self.platforms:
            given["platforms"] = list(self.platforms)
        if self.credentials:
            given["credentials"] = credentials_json(self.credentials)
        if self.description:
            given["description"] = self.description
        if self.referrers is not None:
            given["referrers"] = self.referrers
        flags = {"force": self.force, "dryRun": dry_run}
        return given | {name: True for name, value in flags.items() if value}
