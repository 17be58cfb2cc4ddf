"""API tokens: random secrets of which only the SHA-256 is stored.

A fast hash is sufficient: the secret has 256 random bits, so that it cannot be guessed from its hash.
"""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.db.database import Connection
from shared.model.owner import Owner
from shared.model.roles import Role

# Marks Longshore's secrets for scanners that look for leaked ones.
PREFIX = "lsh_"
SECRET_BYTES = 32
# The precision of "last used", so that not every request costs a write. Seconds.
LAST_USED_STEP = 60.0
# The first half of the advisory locks' keys; the second is a hash of the owner.
OWNER_LOCK = 72_653


class TokenState(StrEnum):
    """Whether a token is accepted."""

    VALID = "valid"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A token without its secret.

    `user_name` is the owner's name for display. `created_by` is None for a token that the operator's command made.
    `touch_due`: the last use was recorded more than a step ago, or never.
    """

    id: int
    user_name: str
    role: Role
    issuer: str
    subject: str | None
    groups: tuple[str, ...]
    description: str
    created_by: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    state: TokenState
    touch_due: bool

    @property
    def owner(self) -> Owner:
        """The user that the token authenticates."""
        return Owner.of(self.issuer, self.subject, user=self.user_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token to create, valid for `lifetime` seconds (None: until revoked).

    `made_by` is the token that it derives from: it ends with that one at the latest. None if it derives from none.
    """

    user: str
    owner: Owner
    role: Role
    lifetime: float | None
    groups: frozenset[str] = frozenset()
    description: str = ""
    created_by: str | None = None
    made_by: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedToken:
    """A new token with its secret, which is not stored."""

    token: ApiToken
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFilter:
    """Selects tokens; None does not restrict a field. `user_name` is the name for display."""

    owner: Owner | None = None
    user_name: str | None = None
    state: TokenState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPage:
    """One page of tokens; `total` is the number of all matching ones."""

    total: int
    tokens: list[ApiToken]


_STATE = """
    CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired' ELSE 'valid' END
"""
_COLUMNS = f"""
    id, user_name, role, issuer, subject, groups, description, created_by, created_at, expires_at, revoked_at,
    last_used_at, {_STATE} AS state,
    coalesce(last_used_at < now() - make_interval(secs => {LAST_USED_STEP}), true) AS touch_due
"""
# The index on tokens by owner has these expressions.
_OF_OWNER = "issuer = $1 AND coalesce(subject, user_name) = $2"

_MATCHING = f"""
    ($1::text IS NULL OR (issuer = $1 AND coalesce(subject, user_name) = $2)) AND ($3::text IS NULL OR user_name = $3)
    AND ($4::text IS NULL OR {_STATE} = $4)
"""


async def insert_token(connection: Connection, new: NewToken) -> CreatedToken:
    """Create a token; return it with its secret."""
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    row = await connection.fetchrow(
        f"""
        INSERT INTO api_tokens (user_name, issuer, subject, role, secret_sha256, expires_at, groups, description,
                                created_by, made_by)
        VALUES ($1, $2, $3, $4, $5,
                least(now() + make_interval(secs => $6), (SELECT expires_at FROM api_tokens WHERE id = $10)),
                $7, $8, $9, $10)
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - fixed text
        new.user,
        new.owner.issuer,
        new.owner.subject,
        new.role.value,
        _hash(secret),
        new.lifetime,
        sorted(new.groups),
        new.description,
        new.created_by,
        new.made_by,
    )
    return CreatedToken(token=_token(row), secret=secret)


async def create_token(connection: Connection, *, user: str, role: Role, lifetime: float | None) -> str:
    """Create a token of a user that only API tokens name; return its secret."""
    new = NewToken(user=user, owner=Owner(subject=user), role=role, lifetime=lifetime)
    return (await insert_token(connection, new)).secret


async def find_tokens(connection: Connection, given: Collection[str]) -> dict[str, ApiToken]:
    """Return the tokens with these secrets, by secret, including expired and revoked ones."""
    hashes = {_hash(secret): secret for secret in given}
    rows = await connection.fetch(
        f"SELECT secret_sha256, {_COLUMNS} FROM api_tokens WHERE secret_sha256 = ANY($1::bytea[])",  # noqa: S608 - fixed text
        list(hashes),
    )
    return {hashes[row["secret_sha256"]]: _token(row) for row in rows}


async def get_token(connection: Connection, token_id: int) -> ApiToken | None:
    """Return the token with this id."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM api_tokens WHERE id = $1", token_id)  # noqa: S608 - fixed text
    return _token(row) if row else None


async def touch_token(connection: Connection, token_id: int) -> None:
    """Record the token's use, at most once per step."""
    await connection.execute(
        """
        UPDATE api_tokens SET last_used_at = now()
        WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - make_interval(secs => $2))
        """,
        token_id,
        LAST_USED_STEP,
    )


async def list_tokens(connection: Connection) -> list[ApiToken]:
    """Return all tokens, oldest first."""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM api_tokens ORDER BY id")  # noqa: S608 - fixed text
    return [_token(row) for row in rows]


async def find_page(connection: Connection, matching: TokenFilter, *, offset: int, limit: int) -> TokenPage:
    """Return a page of the matching tokens, the newest first."""
    values = (
        matching.owner.issuer if matching.owner else None,
        matching.owner.subject if matching.owner else None,
        matching.user_name,
        matching.state.value if matching.state else None,
    )
    total = await connection.fetchval(f"SELECT count(*) FROM api_tokens WHERE {_MATCHING}", *values)  # noqa: S608 - fixed text
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM api_tokens WHERE {_MATCHING} ORDER BY id DESC LIMIT $5 OFFSET $6",  # noqa: S608 - fixed text
        *values,
        limit,
        offset,
    )
    return TokenPage(total=total, tokens=[_token(row) for row in rows])


async def lock_owner(connection: Connection, owner: Owner) -> None:
    """Let one transaction at a time create and revoke the owner's tokens, until it ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock($1, hashtext($2 || ' ' || $3))", OWNER_LOCK, owner.issuer, owner.subject
    )


async def count_valid(connection: Connection, owner: Owner) -> int:
    """Return the number of the owner's valid tokens."""
    count: int = await connection.fetchval(
        f"SELECT count(*) FROM api_tokens WHERE {_OF_OWNER} AND {_STATE} = 'valid'",  # noqa: S608 - fixed text
        owner.issuer,
        owner.subject,
    )
    return count


async def delete_ended(connection: Connection, owner: Owner, *, keep: int) -> None:
    """Delete the owner's expired and revoked tokens, except the newest `keep`."""
    await connection.execute(
        f"""
        DELETE FROM api_tokens WHERE id IN (
            SELECT id FROM api_tokens WHERE {_OF_OWNER} AND {_STATE} <> 'valid' ORDER BY id DESC OFFSET $3
        )
        """,  # noqa: S608 - fixed text
        owner.issuer,
        owner.subject,
        keep,
    )


async def revoke_token(connection: Connection, token_id: int) -> bool:
    """Revoke a token and all that derive from it now; False where there is none with this id.

    The lock keeps the token from making another one at this moment, which would stay valid.
    """
    async with connection.transaction():
        token = await get_token(connection, token_id)
        if token is None:
            return False
        await lock_owner(connection, token.owner)
        await connection.execute(
            """
            WITH RECURSIVE ended AS (
                SELECT $1::bigint AS id UNION SELECT api_tokens.id FROM api_tokens JOIN ended ON made_by = ended.id
            )
            UPDATE api_tokens SET revoked_at = coalesce(revoked_at, now()) WHERE id IN (SELECT id FROM ended)
            """,
            token_id,
        )
    return True


def _token(row: Any) -> ApiToken:
    """Return the token of a row that has _COLUMNS."""
    values = dict(row)
    values.pop("secret_sha256", None)
    values["role"] = Role(values["role"])
    values["state"] = TokenState(values["state"])
    values["groups"] = tuple(values["groups"])
    return ApiToken(**values)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
