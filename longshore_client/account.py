"""An account at a source registry."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user name and a password, which is never shown."""

    username: str
    password: str = field(repr=False)


Credentials: TypeAlias = Account | str
"""An account, or the name of a registry that the API has stored."""


def credentials_json(credentials: Credentials) -> object:
    """Return what a request has in `credentials`."""
    if isinstance(credentials, str):
        return credentials
    account: Mapping[str, str] = {"username": credentials.username, "password": credentials.password}
    return account
