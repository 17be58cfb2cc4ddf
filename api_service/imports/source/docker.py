"""Who may import images that are on the workers' Docker Engine, which no registry's credentials protect."""

from enum import StrEnum

from api_service.auth.identity import Identity
from api_service.imports.request import ImportRequest
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.roles import Role
from shared.oci.engine_image import EngineImage


class DockerSource(StrEnum):
    """Whose requests may name `docker-daemon:` sources."""

    OFF = "off"
    ADMINS = "admins"
    USERS = "users"

    def check(self, by: Identity) -> None:
        """Raise `docker_source_disabled` where this caller may not."""
        if self is DockerSource.OFF:
            raise LongshoreError(Code.DOCKER_SOURCE_DISABLED, "Sources on a Docker Engine are turned off.")
        if self is DockerSource.ADMINS and by.role is not Role.ADMIN:
            raise LongshoreError(
                Code.DOCKER_SOURCE_DISABLED, "Only an admin may import from the workers' Docker Engine."
            )


def read_engine_image(request: ImportRequest) -> EngineImage:
    """Read the source; raises `reference_malformed`, and what does not go with an engine."""
    if request.source_registry is not None:
        raise LongshoreError(Code.SOURCE_REGISTRY_CONFLICT, "An image on a Docker Engine is in no registry.")
    if request.credentials is not None:
        reason = "A Docker Engine takes none."
        raise LongshoreError(Code.VALIDATION_FAILED, f"credentials: {reason}", fields={"credentials": reason})
    try:
        return EngineImage.parse(request.source)
    except ValueError as error:
        raise LongshoreError(Code.REFERENCE_MALFORMED, f"source cannot be read: {error}.") from None


def refuse_dry_run() -> LongshoreError:
    """Return the error for a dry run of such a source."""
    reason = "Only a worker sees its Docker Engine, so there is nothing to plan with."
    return LongshoreError(Code.VALIDATION_FAILED, f"dryRun: {reason}", fields={"dryRun": reason})
