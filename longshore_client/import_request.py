"""The request for an import, and the API's answer to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from longshore_client.answers import Json, decode, need

# `state` in the answer, where an equal image was ready before.
_ALREADY_THERE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account at a source registry. The password is not in its repr."""

    username: str
    password: str = field(repr=False)


Credentials: TypeAlias = Account | str
"""An account, or the name of a registry that the API has stored."""


def credentials_json(credentials: Credentials) -> Mapping[str, str] | str:
    """Return the value of `credentials` in a request body."""
    if isinstance(credentials, str):
        return credentials
    return {"username": credentials.username, "password": credentials.password}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """An image to import. Options with their defaults are not sent, so that an API of an older release accepts it."""

    source: str
    """The reference as for `docker pull`, or `docker-daemon:NAME:TAG`."""
    target: str | None = None
    """`project/repository:tag`; None lets the API choose."""
    platforms: tuple[str, ...] = ()
    """Each as `os/architecture[/variant]`; empty means all of them."""
    credentials: Credentials | None = None
    description: str | None = None
    force: bool = False
    """Import an image again that is ready."""
    referrers: bool | None = None
    """Whether signatures, SBOMs and other artifacts are imported too; None leaves that to the API's setting."""

    def body(self, *, dry_run: bool = False) -> Mapping[str, Any]:
        """Return the body of `POST /images:import`."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedImport:
    """The API's answer: an import under way, or an image that was ready before."""

    image_id: int
    name: str
    """Name of the import."""
    already: bool
    """Whether the image was ready before, so that no import is needed."""
    message: str
    """One sentence for a person."""

    @classmethod
    def of(cls, document: Json) -> "StartedImport":
        """Read the API's answer."""
        return decode(cls, {**document, "already": need(document, "state", int) == _ALREADY_THERE})
