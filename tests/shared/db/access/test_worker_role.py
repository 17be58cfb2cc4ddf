"""The database role of workers: what it may not read, and how `migrate` sets it up.

The workers of the system tests and of the fault bench use the role for everything: a missing grant fails there.
"""

import asyncio
import secrets
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import asyncpg
import pytest

from deploy.local.stack import Postgres
from shared.db import blob_proofs, blobs, companion_tags, import_states
from shared.db.access.worker_role import GRANTS, WorkerRole, WorkerRoleError, set_up_worker_role
from shared.db.database import open_database
from shared.db.migrations.migrate import MIGRATION_LOCK
from shared.db.migrations.revision import check_schema
from shared.db.new_import import NewImage, NewImport, insert_first_import
from shared.db.registry_limits import RegistryLimits
from shared.db.tags import tag_writes
from shared.db.tags.tag_writes import WriterClaim
from shared.model.blob_origin import BlobOrigin
from shared.model.owner import Owner, Requester
from shared.model.roles import Role
from tests.api_service.commands.test_cli import only_message, run

FORBIDDEN = (
    "SELECT credentials FROM imports",
    "SELECT * FROM imports",
    "SELECT requested_by FROM imports",
    "UPDATE imports SET rule_id = NULL",
    "UPDATE imports SET fenced_attempt = attempt",
    "UPDATE imports SET begun_attempt = attempt",
    "INSERT INTO imports (name) VALUES ('x')",
    "DELETE FROM imports",
    "UPDATE images SET digest = ''",
    "SELECT owner_subject FROM images",
    "INSERT INTO outbox (import_id, reason) VALUES (1, 'x')",
    "UPDATE import_layers SET byte_offset = 0",
    "SELECT 1 FROM source_registries",
    "SELECT 1 FROM api_tokens",
    "SELECT 1 FROM import_rules",
    "SELECT 1 FROM import_usage",
    "SELECT 1 FROM audit_events",
    "DELETE FROM companion_tags",
    "UPDATE alembic_version SET version_num = '0001'",
    "CREATE TABLE mine (id int)",
    "TRUNCATE blobs",
)


@pytest.fixture
def role(postgres: Postgres) -> Iterator[WorkerRole]:
    """A role that does not exist yet."""
    name = f"worker_{secrets.token_hex(6)}"
    yield WorkerRole(name=name, password=secrets.token_hex(8))
    postgres.execute(f'DROP ROLE IF EXISTS "{name}"')


@pytest.fixture
def database_url(postgres: Postgres, database_url: str, role: WorkerRole) -> Iterator[str]:
    """A database that the role is removed from before it is dropped."""
    yield database_url
    if postgres.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{role.name}'"):
        postgres.execute(f'DROP OWNED BY "{role.name}"', database=urlsplit(database_url).path[1:])


def url_for(database_url: str, role: WorkerRole) -> str:
    parts = urlsplit(database_url)
    address = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{role.name}:{quote(role.password, safe='')}@{address}").geturl()


async def set_up(database_url: str, role: WorkerRole) -> list[str]:
    return list(await set_up_worker_role(database_url, role, lock=MIGRATION_LOCK))


async def can_sign_in(database_url: str, role: WorkerRole) -> bool:
    try:
        connection = await asyncpg.connect(url_for(database_url, role))
    except asyncpg.InvalidPasswordError:
        return False
    await connection.close()
    return True


async def add_import(database_url: str) -> str:
    """Add a queued import as the API does, and return its name."""
    requester = Requester(user="ada", owner=Owner(subject="ada"), role=Role.USER)
    new = NewImport(name="app-1.0-x", source="quay.io/ada/app:1.0", requester=requester)
    image = NewImage(registry_host="harbor", repository="imports/app", tag="1.0", description="")
    async with open_database(database_url, application="test", size=1) as database, database.connection() as connection:
        await insert_first_import(connection, image, new)
    return new.name


async def test_a_worker_reads_and_changes_nothing_else(database_url: str, role: WorkerRole) -> None:
    """Neither accounts, tokens and rules, nor what the API decides."""
    await set_up(database_url, role)
    connection = await asyncpg.connect(url_for(database_url, role))
    try:
        for statement in FORBIDDEN:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_workers_statements_are_granted(database_url: str, role: WorkerRole) -> None:
    """A few of them: the claim, the records of blobs and tags, rate limits, and the check of the schema."""
    await set_up(database_url, role)
    name = await add_import(database_url)
    async with open_database(url_for(database_url, role), application="test", size=1) as database:
        await check_schema(database)
        assert await RegistryLimits(database).read() == {}
        async with database.connection() as connection:
            claimed = await import_states.claim_next(connection, worker="w", lease=30)
            assert claimed
            assert claimed.name == name
            await blobs.record(connection, "harbor", "imports/app", ["sha256:1"])
            await blobs.forget(connection, "harbor", "imports/app", "sha256:1")
            await blob_proofs.record(connection, "harbor", ["sha256:1"], BlobOrigin(host="quay.io", with_account=True))
            await companion_tags.record(connection, "harbor", "imports/app", "sha256-1.sig", "sha256:2")
            await companion_tags.confirm(connection, "harbor", "imports/app", "sha256-1.sig", "sha256:2")
            claim = WriterClaim(import_name=name, attempt=claimed.attempt, claim_token=claimed.claim_token)
            write = await tag_writes.begin(connection, claim, tag="1.0", digest="sha256:1", subject=None)
            assert write
            await tag_writes.end(connection, claim, write)
            await tag_writes.end(connection, claim, write)


async def test_the_set_up_may_be_repeated_and_takes_rights_back(database_url: str, role: WorkerRole) -> None:
    """A right of an earlier release, or of a hand, does not stay."""
    await set_up(database_url, role)
    owner = await asyncpg.connect(database_url)
    await owner.execute(f'GRANT SELECT ON api_tokens TO "{role.name}"')
    await owner.execute(f'GRANT SELECT (credentials) ON imports TO "{role.name}"')
    assert await set_up(database_url, role) == []
    for column in ("api_tokens.secret_sha256", "imports.credentials"):
        table, name = column.split(".")
        assert not await owner.fetchval("SELECT has_column_privilege($1, $2, $3, 'SELECT')", role.name, table, name)
    await owner.close()


async def test_parallel_migrations_wait_for_each_other(database_url: str, role: WorkerRole) -> None:
    await asyncio.gather(*(set_up(database_url, role) for _ in range(5)))
    assert await can_sign_in(database_url, role)


async def test_a_new_password_replaces_the_old_one(database_url: str, role: WorkerRole) -> None:
    """PostgreSQL gets a verifier, so that its logs do not have the password."""
    await set_up(database_url, role)
    changed = WorkerRole(name=role.name, password="päss:w@rd/ß")
    await set_up(database_url, changed)
    assert await can_sign_in(database_url, changed)
    assert not await can_sign_in(database_url, role)


async def test_a_migration_that_may_not_create_roles_says_what_to_do(
    postgres: Postgres, database_url: str, role: WorkerRole
) -> None:
    """The administrator creates the role; the owner of the tables grants, and leaves the password alone."""
    name, database = f"owner_{secrets.token_hex(6)}", urlsplit(database_url).path[1:]
    postgres.execute(f"CREATE ROLE \"{name}\" LOGIN PASSWORD 'own'")
    tables = postgres.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", database=database).split()
    postgres.execute(";".join(f'ALTER TABLE {table} OWNER TO "{name}"' for table in tables), database=database)
    url = url_for(database_url, WorkerRole(name=name, password="own"))
    with pytest.raises(WorkerRoleError, match="create it"):
        await set_up(url, role)
    postgres.execute(f"CREATE ROLE \"{role.name}\" LOGIN PASSWORD '{role.password}'")
    (note,) = await set_up(url, WorkerRole(name=role.name, password="another"))
    assert "left as it is" in note
    assert await can_sign_in(database_url, role)
    postgres.execute(f'REASSIGN OWNED BY "{name}" TO longshore; DROP OWNED BY "{name}"', database=database)
    postgres.execute(f'DROP ROLE "{name}"')


async def test_a_role_with_other_rights_is_refused(postgres: Postgres, database_url: str, role: WorkerRole) -> None:
    """The grants would mean nothing for it."""
    with pytest.raises(WorkerRoleError, match="of their own"):
        await set_up(database_url, WorkerRole.of(database_url))
    postgres.execute(f'CREATE ROLE "{role.name}" SUPERUSER LOGIN')
    with pytest.raises(WorkerRoleError, match="superuser"):
        await set_up(database_url, role)


def test_migrate_sets_the_role_up(database_url: str, role: WorkerRole) -> None:
    """With WORKER_DATABASE_URL; a URL without a role is refused by name."""
    done = run("migrate", DATABASE_URL=database_url, WORKER_DATABASE_URL=url_for(database_url, role))
    assert done.returncode == 0, done.stderr
    assert "grants" in done.stderr
    assert asyncio.run(can_sign_in(database_url, role))
    wrong = run("migrate", DATABASE_URL=database_url, WORKER_DATABASE_URL="postgresql://host/longshore")
    assert "WORKER_DATABASE_URL" in only_message(wrong)


def test_every_table_of_the_grants_exists(postgres: Postgres, database_url: str) -> None:
    tables = postgres.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'", database=urlsplit(database_url).path[1:]
    ).split()
    assert set(GRANTS) <= set(tables)
