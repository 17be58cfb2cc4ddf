"""`longshore doctor`: checks each part and advises on faults."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from rich.text import Text

from longshore_client.client import LongshoreClient, client_version
from longshore_client.commands.config_file import readable_by_others
from longshore_client.commands.current_access import ENVIRONMENT, CurrentAccess, NoAccessError, find_access
from longshore_client.commands.exit_codes import ExitCode, exit_code_of
from longshore_client.commands.options import json_option
from longshore_client.errors import ClientError
from longshore_client.terminal.output import hint_for, print_json, results
from longshore_client.terminal.safe_text import safe

_PARTS: Mapping[str, tuple[str, str]] = {
    "database": ("database", "Operators: PostgreSQL must run, and DATABASE_URL of the API must lead to it."),
    "schema": ("database schema", "Operators: run `longshore-api migrate`."),
    "rabbitmq": (
        "broker",
        "Operators: RabbitMQ must run, and AMQP_URL must lead to it. Accepted imports start when it is back.",
    ),
    "target": ("target", "Operators: check TARGET_URL, TARGET_USERNAME and TARGET_PASSWORD, and the target itself."),
}
_ROLES = {
    "user": "imports images, and changes its own",
    "admin": "imports images, and changes those of all users",
}
_WORKER_ADVICE = "This token is a worker's. Ask an administrator for a token with the role user or admin."


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check. If it is not `well`, `advice` says what to do, and `status` is the exit status."""

    name: str
    well: bool
    detail: str
    advice: str = ""
    status: ExitCode = ExitCode.FAILED


@click.command()
@json_option
def doctor(*, as_json: bool) -> int:
    """Find faults and advise on them.

    Checks the settings, API, database, broker, target, token and role.
    """
    findings = asyncio.run(_check_all())
    if as_json:
        print_json([{key: value for key, value in asdict(found).items() if key != "status"} for found in findings])
    else:
        for found in findings:
            _print(found)
    return next((found.status for found in findings if not found.well), ExitCode.DONE)


def _print(found: Finding) -> None:
    mark = ("✔ ", "green") if found.well else ("✘ ", "red")
    console = results()
    console.print(Text.assemble(mark, (f"{found.name:<16}", "bold"), safe(found.detail)), soft_wrap=True)
    if found.advice:
        console.print(Text.assemble(("  → ", "yellow"), safe(found.advice)), soft_wrap=True)


async def _check_all() -> list[Finding]:
    try:
        current = find_access(os.environ)
    except NoAccessError as error:
        advice = "Run `longshore login URL`, or set LONGSHORE_URL and LONGSHORE_TOKEN."
        return [_bad("settings", str(error), advice, ExitCode.DENIED)]
    async with LongshoreClient(current.access.url, current.access.token) as client:
        return [_check_settings(current), *[found async for found in _check_service(client)]]


def _check_settings(current: CurrentAccess) -> Finding:
    detail = f"{current.access.url} (from {current.url_from}), token from {current.token_from}"
    if current.token_from != ENVIRONMENT and readable_by_others(Path(current.token_from)):
        return _bad("settings", detail, f"Other users can read the token: chmod 600 {current.token_from}")
    if current.access.unencrypted:
        return _bad(
            "settings", detail, "The token is sent without encryption; use an address that starts with https://"
        )
    return _good("settings", detail)


async def _check_service(client: LongshoreClient) -> AsyncIterator[Finding]:
    try:
        await client.alive()
    except ClientError as error:
        yield _failed("API", error)
        return
    yield _good("API", f"answers; the version of this command is {client_version() or 'unknown'}")
    for found in await _check_parts(client):
        yield found
    for found in await _check_token(client):
        yield found


async def _check_parts(client: LongshoreClient) -> list[Finding]:
    try:
        readiness = await client.readiness()
    except ClientError as error:
        return [_failed("API's parts", error)]
    findings = []
    for part, fault in readiness.faults.items():
        name, advice = _PARTS.get(part, (part, "Operators: look at the API's logs."))
        if part == "schema" and readiness.faults.get("database"):
            advice = "The schema can be checked when the database is back."
        findings.append(_bad(name, fault, advice) if fault else _good(name, "works"))
    return findings


async def _check_token(client: LongshoreClient) -> list[Finding]:
    try:
        identity = await client.whoami()
    except ClientError as error:
        return [_failed("token", error)]
    token = _good("token", f"is valid; it belongs to {identity.user}")
    if identity.role not in _ROLES:
        return [token, _bad("role", identity.role, _WORKER_ADVICE, ExitCode.DENIED)]
    return [token, _good("role", f"{identity.role}: {_ROLES[identity.role]}")]


def _good(name: str, detail: str) -> Finding:
    return Finding(name=name, well=True, detail=detail)


def _bad(name: str, detail: str, advice: str, status: ExitCode = ExitCode.FAILED) -> Finding:
    return Finding(name=name, well=False, detail=detail, advice=advice, status=status)


def _failed(name: str, error: ClientError) -> Finding:
    return _bad(name, error.message, hint_for(error), exit_code_of(error))
