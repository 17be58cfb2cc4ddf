"""Images in registries. Stored registries determine the default registry and the account if the request has none."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from api_service.auth.identity import Identity
from api_service.imports.request import ImportRequest
from api_service.imports.source.account import SourceAccounts
from api_service.imports.source.reference import names_registry, read_source
from api_service.imports.source.target_name import TargetName
from api_service.registries.lookup import RegistryLookup
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.network.policy import NetworkPolicy
from shared.oci.digest import Digest
from shared.oci.platform import Platform
from shared.oci.reference import Reference
from shared.planning.platforms import glimpse_platforms, require_platforms
from shared.registry.client import Registries
from shared.registry.source import RegistrySource
from shared.runtime.secret_box import SecretBox

# How long the API waits for the source while its caller waits: the API answers within five seconds. Seconds.
RESOLVE_DEADLINE = 4.0
# The source exists but is slow, busy or briefly unavailable: the import may start, and its worker asks again.
_LEFT_TO_THE_WORKER = frozenset({Code.SOURCE_STALLED, Code.SOURCE_UNAVAILABLE, Code.SOURCE_RATE_LIMITED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInRegistry:
    """An image in a registry, and the account to read it with. Implements `FoundSource`."""

    registries: Registries
    reference: Reference
    credential: Credential | None
    unresolved_reason: ClassVar[str] = "its source is too slow to show whether the tag has moved"

    async def resolve(self, platforms: Sequence[Platform]) -> Digest | None:
        """Look the image up while the caller waits, so that a typo or missing credentials are reported at once.

        Returns None if the source does not answer in time. Raises `source_*`, `manifest_unsupported` and
        `platform_not_available`.
        """
        try:
            async with asyncio.timeout(RESOLVE_DEADLINE):
                found = await self._look_up(platforms)
        except TimeoutError:
            return self.reference.digest
        except LongshoreError as error:
            if error.code in _LEFT_TO_THE_WORKER:
                return self.reference.digest
            raise
        return self.reference.digest or found

    def open(self) -> RegistrySource:
        return RegistrySource(self.registries, self.reference, self.credential)

    async def _look_up(self, platforms: Sequence[Platform]) -> Digest:
        source = self.open()
        if not platforms:
            return await source.look_up()
        root = await source.fetch_root()
        available = await glimpse_platforms(source, root)
        if available is not None:
            require_platforms(available, platforms)
        return root.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedInRegistry:
    """An image in a registry, and the account that the request asks for, if any. Implements `NamedSource`."""

    registries: Registries
    reference: Reference
    requested: Credential | str | None
    accounts: SourceAccounts

    def for_import(self, target: TargetName, by: Identity) -> ImageInRegistry:
        """Return the image with its account; raises the errors of `SourceAccounts.choose`."""
        credential = self.accounts.choose(self.requested, self.reference, target, by)
        return ImageInRegistry(registries=self.registries, reference=self.reference, credential=credential)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySources:
    """The kind of sources in registries; it recognizes every source. Implements `SourceKind`.

    `registries` are the clients of source registries, `network` the policy under which they connect.
    """

    registries: Registries
    stored: RegistryLookup
    secrets: SecretBox
    network: NetworkPolicy

    def recognizes(self, source: str) -> bool:  # noqa: ARG002 - SourceKind's signature
        return True

    async def name(self, request: ImportRequest, by: Identity) -> NamedInRegistry:  # noqa: ARG002 - as above
        """Return the image that the request names, in the default registry if the request names none.

        Raises the errors of `read_source`.
        """
        reference = read_source(request.source, request.source_registry)
        stored = await self.stored.find_all()
        default = next((registry.host for registry in stored if registry.is_default), None)
        if default and not names_registry(request.source, request.source_registry):
            reference = read_source(request.source, None, default=default)
        accounts = SourceAccounts(stored=stored, secrets=self.secrets, network=self.network)
        return NamedInRegistry(
            registries=self.registries, reference=reference, requested=request.credentials, accounts=accounts
        )
