"""API tokens that users create for themselves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from longshore_client.answers import Json, Key, decode, need, objects
from longshore_client.calls import Calls

_PATH = "/tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A token, without its secret. `raw` is the API's own object."""

    id: int
    user: Annotated[str, Key("userName")]
    role: str
    groups: tuple[str, ...] = ()
    description: str = ""
    created: Annotated[datetime | None, Key("createdTime")]
    expires: Annotated[datetime | None, Key("expiresTime")]
    """None: it does not expire."""
    last_used: Annotated[datetime | None, Key("lastUsedTime")]
    """None: never."""
    revoked: Annotated[datetime | None, Key("revokedTime")]
    current: bool = False
    """Whether it is the token of this request."""
    raw: Json = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedToken:
    """A new token with its secret, which the API returns this once. The secret is not in the repr."""

    token: ApiToken
    secret: str = field(repr=False)


class TokenOperations(Calls):
    """The operations on API tokens: users manage their own, admins those of all users."""

    async def tokens(self, *, everybody: bool = False) -> Sequence[ApiToken]:
        """Return the caller's tokens; with `everybody`, those of all users, which needs an admin's token."""
        answer = await self._get(_PATH, {"all": "true"} if everybody else None)
        return [decode(ApiToken, entry) for entry in objects(answer, "tokens")]

    async def create_token(self, description: str = "", *, days: float | None = None) -> CreatedToken:
        """Create a token of the caller's own; None leaves its lifetime to the API's setting."""
        body: dict[str, Any] = {}
        if description:
            body["description"] = description
        if days is not None:
            body["days"] = days
        answer = await self._post(_PATH, body)
        return CreatedToken(token=decode(ApiToken, answer), secret=need(answer, "token", str))

    async def revoke_token(self, token_id: int) -> None:
        """Revoke a token, which ends within a second; raises the ApiError `token_not_found`."""
        await self._delete(f"{_PATH}/{token_id}")
