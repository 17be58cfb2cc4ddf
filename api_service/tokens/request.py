"""Requests about API tokens, as the use cases take them."""

from dataclasses import dataclass

from shared.db.access.tokens import TokenState
from shared.model.roles import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """The token that a caller wants; None is the default of the field.

    `days`: the setting. `user`: the caller. `role` and `groups`: the caller's, or a user without groups for another
    user.
    """

    description: str = ""
    days: int | None = None
    user: str | None = None
    role: Role | None = None
    groups: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenQuery:
    """Selects tokens: the caller's own, or with `everybody` all users'. `number` counts pages from 0."""

    everybody: bool
    user: str | None
    state: TokenState | None
    number: int
    size: int
