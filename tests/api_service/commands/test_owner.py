"""`longshore-api owner`: gives what users of an older release have to the same users at their issuer."""

import json
from dataclasses import replace

import pytest

from api_service.settings import Settings
from shared.db.access.owners import list_holdings, move_holdings
from shared.db.database import Database
from shared.model.owner import Owner
from tests.api_service.api import BASE, Api
from tests.api_service.auth.oidc_issuer import Issuer
from tests.api_service.commands.test_cli import only_message, run
from tests.api_service.conftest import OpenApi

ISSUER = "https://id.example.com/realms/main"


async def add_old_image(database: Database, user: str, tag: str, state: str | None = "queued") -> None:
    """Add an image as an older release does, with an import in this state."""
    async with database.connection() as connection:
        image_id = await connection.fetchval(
            """
            INSERT INTO images (registry_host, repository, tag, status, source, created_by)
            VALUES ('harbor.example.com', 'imports/app', $2, 'importing', 'docker.io/library/app:1.0', $1) RETURNING id
            """,
            user,
            tag,
        )
        await connection.execute(
            """
            INSERT INTO imports (name, image_id, state, source, requested_by)
            VALUES ('app-' || $3 || '-bcdfghjkmn', $1, $4, 'docker.io/library/app:1.0', $2)
            """,
            image_id,
            user,
            tag,
            state,
        )


async def owners(database: Database, issuer: str | None = None) -> dict[tuple[str, str], tuple[int, int, int]]:
    async with database.connection() as connection:
        found = await list_holdings(connection, issuer)
    return {(each.owner.issuer, each.owner.subject): (each.images, each.open_imports, each.tokens) for each in found}


async def test_the_command_moves_a_users_images_imports_and_tokens(api: Api, database_url: str) -> None:
    await add_old_image(api.database, "ada", "1")
    await add_old_image(api.database, "ada", "2", "cancelled")
    await add_old_image(api.database, "bob", "3")
    await api.token("ada")
    environment = {"DATABASE_URL": database_url, "OIDC_ISSUER": ISSUER}
    listed = run("owner", "list", "--json", **environment)
    assert {"issuer": "", "subject": "ada", "images": 2, "openImports": 1, "tokens": 1} in json.loads(listed.stdout)
    before = await owners(api.database)

    dry = run("owner", "move", "ada", "s-1", "--dry-run", **environment)
    assert (dry.returncode, dry.stdout) == (0, "")
    assert "2 images, 1 open imports and 1 tokens would move from ada without an issuer" in dry.stderr
    assert await owners(api.database) == before

    done = run("owner", "move", "ada", "s-1", **environment)
    assert f"moved from ada without an issuer to s-1 at {ISSUER}" in done.stderr
    after = await owners(api.database)
    assert after[ISSUER, "s-1"] == (2, 1, 1)
    assert ("", "ada") not in after
    assert after["", "bob"] == (1, 1, 0)
    assert "s-1" not in run("owner", "list", **environment).stdout
    assert "s-1" in run("owner", "list", "--all", **environment).stdout
    assert await api.value("SELECT count(*) FROM images WHERE created_by = 'ada'") == 2

    again = run("owner", "move", "ada", "s-1", **environment)
    assert (again.returncode, "ada without an issuer has nothing" in only_message(again)) == (1, True)
    back = run("owner", "move", "s-1", "ada", "--from-issuer", ISSUER, "--to-issuer", "", **environment)
    assert back.returncode == 0
    assert await owners(api.database) == before


async def test_a_moved_image_is_the_jwt_users(
    open_api: OpenApi, settings: Settings, issuer: Issuer, image_source: str
) -> None:
    """An image of the last release, which named the user by preferred_username, is the same user's again."""
    jwt = issuer.token("ada", sub="s-1")
    async with open_api(replace(settings, oidc=issuer.settings(user_claim="preferred_username"))) as api:
        started = await api.start({"source": image_source}, token=jwt)
        secret = await api.token("ada")
    cancel = f"{BASE}/images/{started['imageId']}/importing:cancel"
    async with open_api(replace(settings, oidc=issuer.settings())) as api:
        assert (await api.call("POST", cancel, token=jwt)).code == "forbidden"
        async with api.database.connection() as connection:
            await move_holdings(connection, Owner(subject="ada"), Owner(issuer=issuer.url, subject="s-1"))
        assert (await api.get("/whoami", token=secret))["subject"] == "s-1"
        assert (await api.call("POST", cancel, token=jwt)).status == 200


async def test_the_months_bytes_move_with_their_user(api: Api) -> None:
    """A user who is moved has used as much of a rule's limits as before; both parts add up."""
    rule = await api.value(
        """
        INSERT INTO import_rules (name, subjects, sources, targets, created_by)
        VALUES ('limited', '{everybody}', '{**}', '{**}', 'root') RETURNING id
        """
    )
    usage = "INSERT INTO import_usage (rule_id, issuer, subject, month, bytes) VALUES ($1, $2, $3, $4::date, $5)"
    async with api.database.connection() as connection:
        for issuer, subject, day, size in (
            ("", "ada", "2026-10-01", 1),
            ("", "ada", "2026-11-01", 10),
            (ISSUER, "s-1", "2026-11-01", 100),
            ("", "bob", "2026-11-01", 1000),
        ):
            month = await connection.fetchval("SELECT $1::text::date", day)
            await connection.execute(usage, rule, issuer, subject, month, size)
        await move_holdings(connection, Owner(subject="ada"), Owner(issuer=ISSUER, subject="s-1"))
        rows = await connection.fetch("SELECT issuer, subject, bytes FROM import_usage ORDER BY bytes")
    assert [tuple(row) for row in rows] == [(ISSUER, "s-1", 1), (ISSUER, "s-1", 110), ("", "bob", 1000)]


async def test_workers_tokens_are_no_users(api: Api) -> None:
    """The workers' token of the name `worker` stays where it is."""
    assert ("", "worker") not in await owners(api.database)
    async with api.database.connection() as connection:
        moved = await move_holdings(connection, Owner(subject="worker"), Owner(issuer=ISSUER, subject="s-1"))
    assert moved.is_empty


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("owner", "move", "ada", "s-1"), "--to-issuer is needed"),
        (("owner", "move", "ada", "ada", "--to-issuer", ""), "the same owner"),
        (("owner", "move", "ada", "", "--to-issuer", ISSUER), "printable"),
        (("owner", "move", "ada", 256 * "a", "--to-issuer", ISSUER), "255"),
        (("owner", "move", "ada", "a\nb", "--to-issuer", ISSUER), "printable"),
    ],
)
def test_a_misused_command_gives_one_message(database_url: str, arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments, DATABASE_URL=database_url)
    assert done.returncode == 2
    assert message in only_message(done)
