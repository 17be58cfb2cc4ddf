"""The owner of an image: a subject of an issuer. A name for display can change or be taken over; a subject cannot."""

from dataclasses import dataclass

# The issuer of users that only Longshore's API tokens name.
LONGSHORE = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A user by the identity that does not change: OIDC Core 5.7 calls `iss` and `sub` together the only such claims.

    For a user that an API token names, the issuer is `LONGSHORE` and the subject is the user's name.
    """

    issuer: str = LONGSHORE
    subject: str
