"""The use cases behind /tokens: users create, list and revoke their own API tokens, admins all users'.

A token gives no more than its maker has: at most the maker's role, the maker's identity, and a copy of the maker's
groups. A token that a token made ends with it at the latest, and is revoked with it, so that a stolen one cannot renew
itself.
"""

from dataclasses import dataclass

from api_service.auth.identity import Identity
from api_service.tokens.request import TokenQuery, TokenRequest
from shared.db.access import tokens
from shared.db.access.tokens import ApiToken, CreatedToken, NewToken, TokenFilter, TokenPage, TokenState
from shared.db.database import Connection, Database
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.owner import Owner
from shared.model.roles import Role

# Valid tokens of one user: one for each machine or pipeline, with room to spare.
MAX_TOKENS = 50
# Expired and revoked tokens of one user that stay listed: enough for a look back, and no way to fill the database.
ENDED_KEPT = 100
# Longer than any rotation plan, and within the range of PostgreSQL's timestamps. Days.
MAX_DAYS = 36_500
# Seconds.
DAY = 24 * 3_600
# The roles of tokens that a request can create. A worker reads the accounts of imports, which no user and no admin may,
# so that only the operator's command creates its token.
ROLES = (Role.USER, Role.ADMIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiTokens:
    """Creates, lists and revokes API tokens; `days` is their default lifetime, and the longest of one's own."""

    database: Database
    days: int

    async def list(self, query: TokenQuery, by: Identity) -> TokenPage:
        """Return a page of tokens, the newest first; raises `forbidden` if a user asks for all users' tokens."""
        if query.everybody and by.role is not Role.ADMIN:
            raise LongshoreError(Code.FORBIDDEN, "Only admins list the tokens of other users: omit `all`.")
        matching = TokenFilter(owner=None if query.everybody else by.owner, user_name=query.user, state=query.state)
        async with self.database.connection() as connection:
            return await tokens.find_page(connection, matching, offset=query.number * query.size, limit=query.size)

    async def create(self, request: TokenRequest, by: Identity) -> CreatedToken:
        """Create a token.

        Raises `forbidden` for more than the caller may give, `validation_failed`, `token_limit_reached`, and
        `unauthenticated` if the caller's own token has just been revoked.
        """
        new = self._for_self(request, by) if request.user is None else self._for_other(request, request.user, by)
        async with self.database.transaction() as connection:
            await tokens.lock_owner(connection, new.owner)
            if new.made_by is not None:
                await _check_valid(connection, new.made_by)
            if await tokens.count_valid(connection, new.owner) >= MAX_TOKENS:
                raise LongshoreError(Code.TOKEN_LIMIT_REACHED, f"{new.user} has {MAX_TOKENS} valid tokens already.")
            await tokens.delete_ended(connection, new.owner, keep=ENDED_KEPT)
            return await tokens.insert_token(connection, new)

    async def revoke(self, token_id: int, by: Identity) -> None:
        """Revoke a token and those that it made; raises `token_not_found`, also for another user's token."""
        async with self.database.connection() as connection:
            found = await tokens.get_token(connection, token_id)
            if found is None or (by.role is not Role.ADMIN and found.owner != by.owner):
                raise LongshoreError(Code.TOKEN_NOT_FOUND, f"There is no token {token_id}.")
            await tokens.revoke_token(connection, token_id)

    def _for_self(self, request: TokenRequest, by: Identity) -> NewToken:
        role = request.role or by.role
        if by.role is not Role.ADMIN and role is not by.role:
            raise LongshoreError(Code.FORBIDDEN, f"Your role is {by.role}; your token cannot have the role {role}.")
        if request.groups is not None and by.role is not Role.ADMIN:
            raise LongshoreError(Code.FORBIDDEN, "Only admins choose groups: omit `groups`, and the token has yours.")
        days = request.days or self.days
        if days > self.days:
            reason = f"At most {self.days} days (API_TOKEN_DAYS)."
            raise LongshoreError(Code.VALIDATION_FAILED, f"expiresInDays: {reason}", fields={"expiresInDays": reason})
        return NewToken(
            user=by.user,
            owner=by.owner,
            role=role,
            lifetime=days * DAY,
            groups=by.groups if request.groups is None else request.groups,
            description=request.description,
            created_by=by.user,
            made_by=by.token_id,
        )

    def _for_other(self, request: TokenRequest, user: str, by: Identity) -> NewToken:
        """Return a token of a user that only API tokens name, for an admin; it does not derive from the admin's own."""
        if by.role is not Role.ADMIN:
            raise LongshoreError(Code.FORBIDDEN, "Only admins create tokens for other users: omit `userName`.")
        return NewToken(
            user=user,
            owner=Owner(subject=user),
            role=request.role or Role.USER,
            lifetime=(request.days or self.days) * DAY,
            groups=request.groups or frozenset(),
            description=request.description,
            created_by=by.user,
        )


async def _check_valid(connection: Connection, token_id: int) -> None:
    """Raise `unauthenticated` unless the token is valid now: the lookup of tokens may be a second old."""
    maker: ApiToken | None = await tokens.get_token(connection, token_id)
    if maker is None or maker.state is not TokenState.VALID:
        raise LongshoreError(Code.UNAUTHENTICATED, "The API token is unknown.")
