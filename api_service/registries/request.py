"""Requests of administrators about stored registries."""

from dataclasses import dataclass, field

from shared.model.account_access import AccountAccess
from shared.model.credential import Credential


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRegistry:
    """A registry to store; without an account, Longshore reads its images anonymously."""

    name: str
    url: str
    account: Credential | None = None
    is_default: bool = False
    access: AccountAccess | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """Another account. A password alone is a rotation: the user name stays. Neither: the account is removed."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessChange:
    """Another access list, or none: the account is for admins alone."""

    list: AccountAccess | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryChange:
    """The new values; None leaves a value unchanged."""

    name: str | None = None
    url: str | None = None
    account: AccountChange | None = None
    is_default: bool | None = None
    access: AccessChange | None = None
