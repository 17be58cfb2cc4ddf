"""API tokens that users create for themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from longshore_client.answers import Json, Key, decode, need, objects
from longshore_client.calls import Calls

_PATH = "/tokens"
# The largest page that the API accepts. Tokens.
MAX_TOKEN_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A token, without its secret. `raw` is the API's own object."""

    id: int
    user: Annotated[str, Key("userName")]
    role: str
    groups: tuple[str, ...] = ()
    description: str = ""
    state: str = ""
    """`valid`, `expired` or `revoked`."""
    current: bool = False
    """Whether it is the token of this request."""
    created_by: str | None
    """None: the operator's command."""
    created: Annotated[datetime | None, Key("createdTime")]
    expires: Annotated[datetime | None, Key("expiresTime")]
    """None: it does not expire."""
    revoked: Annotated[datetime | None, Key("revokedTime")]
    last_used: Annotated[datetime | None, Key("lastUsedTime")]
    """None: never."""
    raw: Json = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedToken:
    """A new token with its secret, which the API returns this once. The secret is not in the repr."""

    token: ApiToken
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token to create. Fields that are None are left to the API: the caller's own values, and its setting."""

    description: str = ""
    days: int | None = None
    user: str | None = None
    """Another user; needs an admin's token."""
    role: str | None = None
    """`user` or `admin`; at most the caller's own."""
    groups: Sequence[str] | None = None
    """Needs an admin's token; a token for oneself has the caller's groups."""

    def body(self) -> Mapping[str, Any]:
        """Return the body of `POST /tokens`."""
        given = {
            "description": self.description or None,
            "expiresInDays": self.days,
            "userName": self.user,
            "role": self.role,
            "groups": None if self.groups is None else list(self.groups),
        }
        return {name: value for name, value in given.items() if value is not None}


class TokenOperations(Calls):
    """The operations on API tokens: users manage their own, admins those of all users."""

    async def tokens(
        self, *, everybody: bool = False, user: str | None = None, state: str | None = None
    ) -> Sequence[ApiToken]:
        """Return the caller's tokens, the newest first; with `everybody` those of all users, for admins.

        `user` and `state` select among them.
        """
        filters = {"all": "true" if everybody else None, "userName": user, "state": state}
        query = {name: value for name, value in filters.items() if value is not None}
        found: list[ApiToken] = []
        while True:
            page = {"page_num": str(len(found) // MAX_TOKEN_PAGE), "page_size": str(MAX_TOKEN_PAGE)}
            answer = await self._get(_PATH, query | page)
            entries = objects(answer, "tokens")
            found += [decode(ApiToken, entry) for entry in entries]
            if len(entries) < MAX_TOKEN_PAGE:
                return found

    async def create_token(self, token: NewToken | None = None) -> CreatedToken:
        """Create a token, by default one that may do what the caller may do.

        ```python
        created = await longshore.create_token(NewToken(description="CI", days=30))
        print(created.secret)
        ```
        """
        answer = await self._post(_PATH, (token or NewToken()).body())
        return CreatedToken(token=decode(ApiToken, answer), secret=need(answer, "token", str))

    async def revoke_token(self, token_id: int) -> None:
        """Revoke a token, which ends within a second; raises the ApiError `token_not_found`."""
        await self._delete(f"{_PATH}/{token_id}")
