"""The owner of an image: a subject of an issuer. A name for display can change or be taken over; a subject cannot."""

from dataclasses import dataclass
from typing import Self

from shared.model.roles import Role

# The issuer of users that only Longshore's API tokens name.
LONGSHORE = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A user by the identity that does not change: OIDC Core 5.7 calls `iss` and `sub` together the only such claims.

    For a user that an API token names, the issuer is `LONGSHORE` and the subject is the user's name.
    """

    issuer: str = LONGSHORE
    subject: str

    @classmethod
    def of(cls, issuer: str, subject: str | None, *, user: str) -> Self:
        """Return the owner with this subject; None stands for the user's name, as in rows of an older release."""
        return cls(issuer=issuer, subject=user if subject is None else subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """The caller that requested an import, as it was at the request; an import rule is checked against it later.

    `user` is the name for display. `role` is None if the import was accepted by a release without import rules.
    """

    user: str
    owner: Owner
    role: Role | None
    groups: frozenset[str] = frozenset()
