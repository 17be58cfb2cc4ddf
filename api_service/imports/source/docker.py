"""Images on the workers' Docker Engine. No registry's credentials protect them, so the operator decides who may.

The API has no connection to an engine: only the worker that takes the import can look an image up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, NoReturn

from api_service.auth.identity import Identity
from api_service.imports.request import ImportRequest
from api_service.imports.source.target_name import TargetName
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.roles import Role
from shared.oci.engine_image import DOCKER_DAEMON, EngineImage
from shared.oci.platform import Platform


class DockerPolicy(StrEnum):
    """Which users may name `docker-daemon:` sources."""

    OFF = "off"
    """No user."""
    ADMINS = "admins"
    """Admins only."""
    USERS = "users"
    """All users."""

    def check(self, by: Identity) -> None:
        """Raise `docker_source_disabled` unless this caller may name such a source."""
        if self is DockerPolicy.OFF:
            raise LongshoreError(Code.DOCKER_SOURCE_DISABLED, "Sources on a Docker Engine are turned off.")
        if self is DockerPolicy.ADMINS and by.role is not Role.ADMIN:
            raise LongshoreError(
                Code.DOCKER_SOURCE_DISABLED, "Only an admin may import from the workers' Docker Engine."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerSource:
    """An image on the workers' Docker Engine, which needs no account. Implements `NamedSource` and `FoundSource`."""

    reference: EngineImage
    credential: None = None
    unresolved_reason: ClassVar[str] = "only a worker can look up whether the name means another image now"

    def for_import(self, target: TargetName, by: Identity) -> "DockerSource":  # noqa: ARG002 - NamedSource's signature
        return self

    async def resolve(self, platforms: Sequence[Platform]) -> None:
        """Return None: only a worker can look the image up."""

    def open(self) -> NoReturn:
        """Raise `validation_failed`."""
        raise _refused("dryRun", "Only a worker can read its Docker Engine, so the API cannot plan the import.")


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerSources:
    """The kind of `docker-daemon:` sources. Implements `SourceKind`."""

    policy: DockerPolicy

    def recognizes(self, source: str) -> bool:
        return source.startswith(DOCKER_DAEMON)

    async def name(self, request: ImportRequest, by: Identity) -> DockerSource:
        """Return the image that the request names.

        Raises `docker_source_disabled`, `reference_malformed`, `source_registry_conflict`, and `validation_failed` for
        credentials.
        """
        self.policy.check(by)
        if request.source_registry is not None:
            raise LongshoreError(Code.SOURCE_REGISTRY_CONFLICT, "An image on a Docker Engine is in no registry.")
        if request.credentials is not None:
            raise _refused("credentials", "A Docker Engine takes none.")
        try:
            return DockerSource(reference=EngineImage.parse(request.source))
        except ValueError as error:
            raise LongshoreError(Code.REFERENCE_MALFORMED, f"source cannot be read: {error}.") from None


def _refused(field: str, reason: str) -> LongshoreError:
    return LongshoreError(Code.VALIDATION_FAILED, f"{field}: {reason}", fields={field: reason})
