"""Each command that changes the database leaves one event in the audit log; a command that fails leaves none."""

import asyncio

import asyncpg

from deploy.local.processes.server import new_key
from tests.api_service.commands.test_cli import run


def events(database_url: str) -> list[tuple[str, str]]:
    """Return the commands' events, oldest first: operation and object."""

    async def read() -> list[tuple[str, str]]:
        connection = await asyncpg.connect(database_url)
        try:
            rows = await connection.fetch(
                """
                SELECT operation, object FROM audit_events
                WHERE user_name = 'longshore-api' AND role IS NULL ORDER BY id
                """
            )
        finally:
            await connection.close()
        return [(row["operation"], row["object"]) for row in rows]

    return asyncio.run(read())


def test_each_command_that_changes_something_leaves_an_event(database_url: str) -> None:
    def command(*arguments: str) -> int:
        return run(*arguments, DATABASE_URL=database_url, SECRET_KEYS=new_key()).returncode

    assert command("token", "create", "--user", "ann", "--role", "user") == 0
    ((made, token_id),) = events(database_url)
    assert (made, token_id.isdigit()) == ("command:createToken", True)
    assert command("owner", "move", "ann", "4711", "--to-issuer", "https://login.example.com", "--dry-run") == 0
    assert command("owner", "move", "ann", "4711", "--to-issuer", "https://login.example.com") == 0
    assert command("token", "revoke", token_id) == 0
    assert command("rotate-secrets") == 0
    assert events(database_url)[1:] == [
        ("command:moveOwner", "ann without an issuer to 4711 at https://login.example.com"),
        ("command:revokeToken", token_id),
        ("command:rotateSecrets", "0 rotated, 0 unreadable"),
    ]


def test_a_command_without_an_effect_leaves_no_event(database_url: str) -> None:
    for arguments in (
        ("token", "revoke", "4711"),
        ("owner", "move", "nobody", "1", "--to-issuer", "x"),
        ("token", "list"),
    ):
        run(*arguments, DATABASE_URL=database_url)
    assert events(database_url) == []
