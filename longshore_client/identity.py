"""Whom a token stands for."""

from dataclasses import dataclass

from longshore_client.answer import Json, need


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A user, and the role `user`, `admin` or `worker`."""

    user: str
    role: str

    @classmethod
    def of(cls, document: Json) -> "Identity":
        """Read the API's answer."""
        return cls(user=need(document, "userName", str), role=need(document, "role", str))
