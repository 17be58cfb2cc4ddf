"""`longshore doctor`: what is wrong, and what to do."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from rich.text import Text

from longshore_client.commands.config_file import open_to_others
from longshore_client.commands.current_access import ENVIRONMENT, CurrentAccess, NoAccessError, find_access
from longshore_client.commands.exit_codes import ExitCode, exit_code_of
from longshore_client.commands.options import json_option
from longshore_client.errors import ClientError
from longshore_client.longshore_client import LongshoreClient, client_version
from longshore_client.terminal.output import error_lines, print_json, results
from longshore_client.terminal.safe_text import safe

_PARTS: Mapping[str, tuple[str, str]] = {
    "database": ("database", "Operators: PostgreSQL must run, and DATABASE_URL of the API must lead to it."),
    "schema": ("database schema", "Operators: run `longshore-api migrate`."),
    "rabbitmq": (
        "broker",
        "Operators: RabbitMQ must run, and AMQP_URL must lead to it. Imports are accepted, and begin when it is back.",
    ),
    "target": ("target", "Operators: check TARGET_URL, TARGET_USERNAME and TARGET_PASSWORD, and the target itself."),
}
_ROLES = {
    "user": "imports, and changes images of one's own",
    "admin": "does everything people can do",
}
_WORKER_ADVICE = "This token is a worker's. Ask an administrator for one with the role user or admin."


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at; `advice` is what to do where it is not well. `status` is the exit status then."""

    name: str
    well: bool
    detail: str
    advice: str = ""
    status: ExitCode = ExitCode.FAILED


@click.command()
@json_option
def doctor(*, as_json: bool) -> int:
    """Look for what is wrong, and say what to do.

    Looks at settings, API, database, broker, target, token and role.
    """
    findings = asyncio.run(_examine())
    if as_json:
        print_json([{key: value for key, value in asdict(found).items() if key != "status"} for found in findings])
    else:
        for found in findings:
            _tell(found)
    return next((found.status for found in findings if not found.well), ExitCode.DONE)


def _tell(found: Finding) -> None:
    mark = ("✔ ", "green") if found.well else ("✘ ", "red")
    console = results()
    console.print(Text.assemble(mark, (f"{found.name:<16}", "bold"), safe(found.detail)), soft_wrap=True)
    if found.advice:
        console.print(Text.assemble(("  → ", "yellow"), safe(found.advice)), soft_wrap=True)


async def _examine() -> list[Finding]:
    try:
        current = find_access(os.environ)
    except NoAccessError as error:
        advice = "Run `longshore login URL`, or set LONGSHORE_URL and LONGSHORE_TOKEN."
        return [_bad("settings", str(error), advice, ExitCode.DENIED)]
    async with LongshoreClient(current.access.url, current.access.token) as client:
        return [_settings(current), *[found async for found in _ask(client)]]


def _settings(current: CurrentAccess) -> Finding:
    detail = f"{current.access.url} (from {current.url_from}), token from {current.token_from}"
    if current.token_from != ENVIRONMENT and open_to_others(Path(current.token_from)):
        return _bad("settings", detail, f"Others can read the token: chmod 600 {current.token_from}")
    if current.access.readable_by_others:
        return _bad("settings", detail, "The token travels unencrypted; use an address that begins with https://")
    return _good("settings", detail)


async def _ask(client: LongshoreClient) -> AsyncIterator[Finding]:
    try:
        await client.alive()
    except ClientError as error:
        yield _failed("API", error)
        return
    yield _good("API", f"answers; this command is of release {client_version() or 'unknown'}")
    for found in await _parts(client):
        yield found
    for found in await _identity(client):
        yield found


async def _parts(client: LongshoreClient) -> list[Finding]:
    try:
        readiness = await client.readiness()
    except ClientError as error:
        return [_failed("API's parts", error)]
    findings = []
    for part, trouble in readiness.trouble.items():
        name, advice = _PARTS.get(part, (part, "Operators: look at the API's logs."))
        if part == "schema" and readiness.trouble.get("database"):
            advice = "Whether it is the right one shows when the database is back."
        findings.append(_bad(name, trouble, advice) if trouble else _good(name, "works"))
    return findings


async def _identity(client: LongshoreClient) -> list[Finding]:
    try:
        identity = await client.whoami()
    except ClientError as error:
        return [_failed("token", error)]
    token = _good("token", f"is good; it stands for {identity.user}")
    if identity.role not in _ROLES:
        return [token, _bad("role", identity.role, _WORKER_ADVICE, ExitCode.DENIED)]
    return [token, _good("role", f"{identity.role}: {_ROLES[identity.role]}")]


def _good(name: str, detail: str) -> Finding:
    return Finding(name=name, well=True, detail=detail)


def _bad(name: str, detail: str, advice: str, status: ExitCode = ExitCode.FAILED) -> Finding:
    return Finding(name=name, well=False, detail=detail, advice=advice, status=status)


def _failed(name: str, error: ClientError) -> Finding:
    lines = dict(reversed(error_lines(error)))
    return _bad(name, error.message, lines.get("hint:", ""), exit_code_of(error))
