"""What an administrator asks for with /image-registries, checked for form."""

from dataclasses import dataclass, field

from shared.model.credential import Credential


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRegistry:
    """A registry to store; without an account, its images are read as anybody may."""

    name: str
    url: str
    account: Credential | None = None
    is_default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """Another account. A password alone is a rotation: the user name stays. Neither: the account is removed."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryChange:
    """What is to be different; None stays as it is."""

    name: str | None = None
    url: str | None = None
    account: AccountChange | None = None
    is_default: bool | None = None
