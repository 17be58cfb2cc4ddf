"""API tokens: random secrets of which only the SHA-256 is stored.

A fast hash is sufficient: the secret has 256 random bits, so that it cannot be guessed from its hash.
"""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.db.database import Connection
from shared.model.roles import Role

# Marks Longshore's secrets for scanners that look for leaked ones.
PREFIX = "lsh_"
SECRET_BYTES = 32
# The precision of "last used", so that not every request costs a write. Seconds.
LAST_USED_STEP = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A token without its secret. `touch_due`: the last use was recorded more than a step ago, or never."""

    id: int
    user_name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    expired: bool
    touch_due: bool


_COLUMNS = f"""
    id, user_name, role, created_at, expires_at, revoked_at, last_used_at,
    coalesce(expires_at <= now(), false) AS expired,
    coalesce(last_used_at < now() - make_interval(secs => {LAST_USED_STEP}), true) AS touch_due
"""


async def create_token(connection: Connection, *, user: str, role: Role, lifetime: float | None) -> str:
    """Create a token, valid for `lifetime` seconds (None: until revoked); return its secret, which is not stored."""
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    await connection.execute(
        """
        INSERT INTO api_tokens (user_name, role, secret_sha256, expires_at)
        VALUES ($1, $2, $3, now() + make_interval(secs => $4))
        """,
        user,
        role.value,
        _hash(secret),
        lifetime,
    )
    return secret


async def find_tokens(connection: Connection, given: Collection[str]) -> dict[str, ApiToken]:
    """Return the tokens with these secrets, by secret, including expired and revoked ones."""
    hashes = {_hash(secret): secret for secret in given}
    rows = await connection.fetch(
        f"SELECT secret_sha256, {_COLUMNS} FROM api_tokens WHERE secret_sha256 = ANY($1::bytea[])",  # noqa: S608 - fixed text
        list(hashes),
    )
    return {hashes[row["secret_sha256"]]: _token(row) for row in rows}


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


async def revoke_token(connection: Connection, token_id: int) -> bool:
    """Revoke a token now; False where there is none with this id."""
    status = await connection.execute(
        "UPDATE api_tokens SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1", token_id
    )
    return status == "UPDATE 1"


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _token(row: Any) -> ApiToken:
    values = dict(row)
    values.pop("secret_sha256", None)
    values["role"] = Role(values["role"])
    return ApiToken(**values)
