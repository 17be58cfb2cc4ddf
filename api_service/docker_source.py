"""Who may import images that are on the workers' Docker Engine, which no registry's credentials protect."""

from enum import StrEnum

from api_service.identity import Identity
from api_service.import_request import ImportRequest
from shared.db.tokens import Role
from shared.errors import LongshoreError
from shared.oci.engine_image import EngineImage


class DockerSource(StrEnum):
    """Whose requests may name `docker-daemon:` sources."""

    OFF = "off"
    ADMINS = "admins"
    USERS = "users"

    def check(self, by: Identity) -> None:
        """Raise `docker_source_disabled` where this caller may not."""
        if self is DockerSource.OFF:
            raise LongshoreError("docker_source_disabled", "Sources on a Docker Engine are turned off.")
        if self is DockerSource.ADMINS and by.role is not Role.ADMIN:
            raise LongshoreError("docker_source_disabled", "Only an admin may import from the workers' Docker Engine.")


def read_engine_image(request: ImportRequest) -> EngineImage:
    """Read the source; raises `reference_malformed`, and what does not go with an engine."""
    if request.source_registry is not None:
        raise LongshoreError("source_registry_conflict", "An image on a Docker Engine is in no registry.")
    if request.credentials is not None:
        reason = "A Docker Engine takes none."
        raise LongshoreError("validation_failed", f"credentials: {reason}", fields={"credentials": reason})
    try:
        return EngineImage.parse(request.source)
    except ValueError as error:
        raise LongshoreError("reference_malformed", f"source cannot be read: {error}.") from None


def refuse_dry_run() -> LongshoreError:
    """Return the error for a dry run of such a source."""
    reason = "Only a worker sees its Docker Engine, so there is nothing to plan with."
    return LongshoreError("validation_failed", f"dryRun: {reason}", fields={"dryRun": reason})
