"""Where a request's image comes from, and the account that it is read with: stored registries have a say in both."""

from collections.abc import Sequence
from dataclasses import dataclass

from api_service.auth.identity import Identity
from api_service.imports.request import ImportRequest
from api_service.imports.source.docker import DockerSource, read_engine_image
from api_service.imports.source.reference import names_registry, read_source
from api_service.registries.address import comparable_host
from api_service.registries.lookup import RegistryLookup
from shared.db.registries import StoredRegistry
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.network.policy import NetworkPolicy
from shared.oci.engine_image import DOCKER_DAEMON, ImageSource
from shared.oci.reference import Reference
from shared.runtime.secret_box import SecretBox


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSource:
    """An image in a registry or on an engine; without a credential, it is read as anybody may."""

    reference: ImageSource
    credential: Credential | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFinder:
    """Reads requests with the stored registries at hand.

    `policy` are the rules under which sources are called, `docker` says who may name sources on a Docker Engine.
    """

    stored: RegistryLookup
    secrets: SecretBox
    policy: NetworkPolicy
    docker: DockerSource = DockerSource.OFF

    async def find(self, request: ImportRequest, by: Identity) -> FoundSource:
        """Return the source. Where the request names no registry, the default one is meant.

        An account in the request goes before a stored one. A stored one is used for its own host only: by itself
        where the request has none, or by its name. Raises what `read_source` raises, `credentials_unreadable`,
        `docker_source_disabled`, and `validation_failed` for a name that is not stored, or belongs to another host.
        """
        if request.source.startswith(DOCKER_DAEMON):
            self.docker.check(by)
            return FoundSource(reference=read_engine_image(request), credential=None)
        reference = read_source(request.source, request.source_registry)
        named = names_registry(request.source, request.source_registry)
        stored = await self.stored.find_all()
        default = next((registry.host for registry in stored if registry.is_default), None)
        if default and not named:
            reference = read_source(request.source, None, default=default)
        return FoundSource(reference=reference, credential=self._credential(request, reference, stored))

    def _credential(
        self, request: ImportRequest, reference: Reference, stored: Sequence[StoredRegistry]
    ) -> Credential | None:
        if isinstance(request.credentials, Credential):
            return request.credentials
        host = comparable_host(reference.registry, self.policy)
        if request.credentials is None:
            return self._opened(next((registry for registry in stored if registry.host == host), None))
        named = next((registry for registry in stored if registry.name == request.credentials), None)
        _check(request.credentials, named, host)
        return self._opened(named)

    def _opened(self, registry: StoredRegistry | None) -> Credential | None:
        if registry is None or registry.username is None or registry.password is None:
            return None
        return Credential(registry.username, self.secrets.open(registry.password))


def _check(name: str, registry: StoredRegistry | None, host: str) -> None:
    """Raise unless the named registry has an account for this host."""
    if registry is None:
        raise _refused(f"No registry is stored as {name}.")
    if registry.host != host:
        raise _refused(f"{name} is stored for {registry.host}; its account is not for {host}.")
    if registry.password is None:
        raise _refused(f"{name} is stored without an account.")


def _refused(reason: str) -> LongshoreError:
    return LongshoreError(Code.VALIDATION_FAILED, f"credentials: {reason}", fields={"credentials": reason})
