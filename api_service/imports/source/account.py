"""Chooses the account with which a source registry is read: the request's, a stored one, or none."""

from collections.abc import Sequence
from dataclasses import dataclass

from api_service.auth.identity import Identity
from api_service.imports.source.target_name import TargetName
from api_service.registries.address import comparable_host
from api_service.registries.may_use import is_user, may_use
from shared.db.access.registries import StoredRegistry
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.model.sealed_account import open_stored
from shared.network.policy import NetworkPolicy
from shared.oci.reference import Reference
from shared.runtime.secret_box import SecretBox


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAccounts:
    """The accounts that are stored at this moment. `network` is the policy under which sources are called."""

    stored: Sequence[StoredRegistry]
    secrets: SecretBox
    network: NetworkPolicy

    def choose(
        self, requested: Credential | str | None, source: Reference, target: TargetName, by: Identity
    ) -> Credential | None:
        """Return the account of an import, or None for anonymous access.

        An account in the request takes precedence over a stored one. A stored account is used for its own host only,
        and only by callers to whom its access list gives this source and target. A request that names it is refused
        otherwise; one that names none runs anonymously. Raises `validation_failed` for a name that is not stored or
        belongs to another host, `forbidden`, and `credentials_unreadable`.
        """
        if isinstance(requested, Credential):
            return requested
        host = comparable_host(source.registry, self.network)
        if requested is None:
            found = next((registry for registry in self.stored if registry.host == host), None)
            return self._open(found) if found and _may_use(found, source, target, by) else None
        named = self._named(requested, host)
        if not _may_use(named, source, target, by):
            raise LongshoreError(Code.FORBIDDEN, _reason(named, source, target, by))
        return self._open(named)

    def _named(self, name: str, host: str) -> StoredRegistry:
        found = next((registry for registry in self.stored if registry.name == name), None)
        if found is None:
            raise _refused(f"No registry is stored as {name}.")
        if found.host != host:
            raise _refused(f"{name} is stored for {found.host}; its account is not for {host}.")
        if found.password is None:
            raise _refused(f"{name} is stored without an account.")
        return found

    def _open(self, registry: StoredRegistry) -> Credential | None:
        if registry.username is None or registry.password is None:
            return None
        return open_stored(self.secrets, registry.password, host=registry.host, username=registry.username)


def _may_use(registry: StoredRegistry, source: Reference, target: TargetName, by: Identity) -> bool:
    return may_use(registry.access, by, repository=source.repository, target=target.repository)


def _reason(registry: StoredRegistry, source: Reference, target: TargetName, by: Identity) -> str:
    if registry.access is None or not is_user(registry.access, by):
        return (
            f"The account of {registry.name} is not for {by.user}. Send an account of your own as `credentials`, leave "
            "`credentials` out to import anonymously, or ask an admin for access."
        )
    return (
        f"{by.user} may use the account of {registry.name} for the repositories "
        f"{', '.join(registry.access.repositories)} and the targets {', '.join(registry.access.targets)}, "
        f"not to import {source.repository} to {target.repository}."
    )


def _refused(reason: str) -> LongshoreError:
    return LongshoreError(Code.VALIDATION_FAILED, f"credentials: {reason}", fields={"credentials": reason})
