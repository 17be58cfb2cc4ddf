"""The database role of workers: it is granted what their statements need, and nothing else.

A worker reads images from anywhere, so it is the process that an attacker reaches first. With this role it cannot read
stored registries, tokens, rules and accounts of imports, nor change anything that another user's rights depend on.
"""

import base64
import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import asyncpg

from shared.db.database import CONNECT_TIMEOUT, Connection, translated

# By table, the privileges of a worker. A test runs each of a worker's statements with them alone.
GRANTS: Mapping[str, Sequence[str]] = {
    # The claim, and whether another attempt still transfers a blob. Not: `credentials`, the requester, the rule.
    "imports": (
        "SELECT (id, name, image_id, state, source, source_digest, platforms, attempt, claim_token, due_at)",
        "SELECT (started_at, lease_until, with_referrers, request_id, traceparent, owner_hash, weight)",
        "UPDATE (state, attempt, claim_token, sequence, lease_owner, lease_until, started_at)",
        "UPDATE (moved_at, rate, updated_at)",
    ),
    # Which user got the newest claim, by hash.
    "import_turns": ("SELECT", "INSERT", "UPDATE"),
    # The trigger that checks a change of state reads it.
    "import_transitions": ("SELECT",),
    "images": ("SELECT (id, registry_host, repository, tag)",),
    # How many workers were lost with an import.
    "outbox": ("SELECT (import_id, reason)",),
    # How much of a blob another import has transferred: for workers of the last release.
    "import_layers": ("SELECT (import_id, digest, byte_offset)",),
    # The blobs of the target, the proofs who may have them, and the transfers under way.
    "blobs": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "blob_proofs": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "blob_transfers": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    # The same, for workers of the last release.
    "blob_flights": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    # The uploads at the target, which the API cancels after their import.
    "target_uploads": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    # The tags of referrers that imports wrote, and the sendings of tags whose end is not known.
    "companion_tags": ("SELECT", "INSERT", "UPDATE (confirmed_at)"),
    "tag_writes": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "registry_limits": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    # The check of /readyz.
    "alembic_version": ("SELECT",),
}

# RFC 5802 and RFC 7677, as PostgreSQL stores a password: so that its logs never have the password itself.
SCRAM_ITERATIONS = 4096
SALT_BYTES = 16


class WorkerRoleError(Exception):
    """The role cannot be used; the text says what an operator has to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRole:
    """The role that WORKER_DATABASE_URL names."""

    name: str
    password: str = field(repr=False)

    @classmethod
    def of(cls, url: str) -> "WorkerRole":
        """Read the role from a postgresql:// URL; raises WorkerRoleError."""
        parts = urlsplit(url)
        if parts.scheme not in ("postgresql", "postgres") or not parts.username:
            raise WorkerRoleError("WORKER_DATABASE_URL is not of the form postgresql://ROLE:PASSWORD@HOST/DATABASE.")
        return cls(name=unquote(parts.username), password=unquote(parts.password or ""))


async def set_up_worker_role(database_url: str, role: WorkerRole, *, lock: int) -> Sequence[str]:
    """Create the role if there is none, set its password, and grant it what workers need; return notes for a person.

    Everything is one transaction, which takes the advisory lock `lock`. Where the caller may not create roles, or not
    change this one's password, an administrator has to. Raises WorkerRoleError, `database_unavailable`.
    """
    with translated():
        connection = await asyncpg.connect(database_url, timeout=CONNECT_TIMEOUT)
        try:
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", lock)
                notes = await _set_up_login(connection, role)
                await _check_powerless(connection, role.name)
                await _grant(connection, role.name)
        finally:
            await connection.close()
    return notes


async def _set_up_login(connection: Connection, role: WorkerRole) -> Sequence[str]:
    exists = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role.name)
    statement = "ALTER ROLE %I LOGIN PASSWORD %L" if exists else "CREATE ROLE %I LOGIN PASSWORD %L"
    if not role.password:
        statement = "ALTER ROLE %I LOGIN" if exists else "CREATE ROLE %I LOGIN"
    sql = await connection.fetchval(f"SELECT format($${statement}$$, $1::text, $2::text)", role.name, _verifier(role))
    try:
        async with connection.transaction():
            await connection.execute(sql)
    except asyncpg.InsufficientPrivilegeError:
        if not exists:
            raise WorkerRoleError(
                f"There is no database role {role.name}, and the role of DATABASE_URL may not create it: create it "
                "with a login and its password, then migrate again."
            ) from None
        return [f"The password of the database role {role.name} is left as it is: the migration may not set it."]
    return []


async def _check_powerless(connection: Connection, name: str) -> None:
    """Raise WorkerRoleError for a role whose rights do not come from the grants here."""
    row = await connection.fetchrow(
        """
        SELECT rolname = current_user AS own, rolsuper AS superuser,
               EXISTS (
                   SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace
                     AND pg_has_role(pg_roles.oid, relowner, 'MEMBER')
               ) AS owner
        FROM pg_roles WHERE rolname = $1
        """,
        name,
    )
    if row is None or row["own"]:
        raise WorkerRoleError("WORKER_DATABASE_URL names the role of DATABASE_URL: workers need a role of their own.")
    if row["superuser"] or row["owner"]:
        raise WorkerRoleError(
            f"The database role {name} is a superuser or owns tables: choose another one for workers."
        )


async def _grant(connection: Connection, name: str) -> None:
    """Give the role the privileges of GRANTS and no others, also if it had more in an earlier release."""
    statements = [
        "REVOKE ALL ON ALL TABLES IN SCHEMA %2$I FROM %1$I",
        "REVOKE ALL ON ALL SEQUENCES IN SCHEMA %2$I FROM %1$I",
        "GRANT CONNECT ON DATABASE %3$I TO %1$I",
        "GRANT USAGE ON SCHEMA %2$I TO %1$I",
        *(
            f"GRANT {privilege} ON %2$I.{table} TO %1$I"
            for table, privileges in GRANTS.items()
            for privilege in privileges
        ),
    ]
    for statement in statements:
        sql = await connection.fetchval(
            f"SELECT format($${statement}$$, $1::text, current_schema(), current_database())",
            name,
        )
        await connection.execute(sql)


def _verifier(role: WorkerRole) -> str:
    """Return the password as PostgreSQL stores it."""
    password = unicodedata.normalize("NFKC", role.password).encode()
    salt = secrets.token_bytes(SALT_BYTES)
    salted = hashlib.pbkdf2_hmac("sha256", password, salt, SCRAM_ITERATIONS)
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    parts = [base64.b64encode(part).decode() for part in (salt, stored, _hmac(salted, b"Server Key"))]
    return f"SCRAM-SHA-256${SCRAM_ITERATIONS}:{parts[0]}${parts[1]}:{parts[2]}"


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()
