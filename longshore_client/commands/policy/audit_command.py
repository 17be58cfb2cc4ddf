"""`longshore audit`: the log of requests that write."""

import re
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import click

from longshore_client.client import LongshoreClient
from longshore_client.commands.exit_codes import ExitCode
from longshore_client.commands.options import json_option
from longshore_client.commands.with_client import with_client
from longshore_client.resources.audit import AuditEvent, AuditQuery
from longshore_client.terminal.output import note, print_json, results
from longshore_client.terminal.tables import Column, print_table

# One or two screens; --all lists more. Events.
DEFAULT_LIMIT = 50
_SPAN = re.compile(r"(?P<figure>[0-9]{1,6})(?P<unit>min|h|d)")
_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_COLUMNS = (
    Column(title="TIME", no_wrap=True),
    Column(title="USER"),
    Column(title="OPERATION"),
    Column(title="OBJECT"),
    Column(title="OUTCOME"),
    Column(title="RULE", no_wrap=True, min_width=110),
    Column(title="TOKEN", no_wrap=True, min_width=110),
    Column(title="FROM", no_wrap=True, min_width=120),
    Column(title="REQUEST", no_wrap=True, min_width=170),
)


def _moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    """Read a time (ISO 8601), or a span before now, such as 30min, 12h, 7d."""
    if value is None:
        return None
    if match := _SPAN.fullmatch(value):
        return datetime.now(UTC) - int(match["figure"]) * _UNITS[match["unit"]]
    try:
        # A time without a zone is in the user's, as in the command's output.
        return datetime.fromisoformat(value).astimezone()
    except ValueError:
        raise click.BadParameter(f"{value!r} is no time; write it as 2026-11-30, 2026-11-30T08:00 or 7d") from None


@click.command()
@click.option("--user", metavar="NAME", help="Only the requests of this user.")
@click.option("--operation", metavar="ID", help="Only this operation of the API, such as deleteImage.")
@click.option("--object", "about", metavar="TEXT", help="Only requests about this image, rule, registry or token.")
@click.option("--code", help="Only requests that were refused with this error code, such as target_not_allowed.")
@click.option(
    "--since", callback=_moment, metavar="TIME", help="Only later ones: a time, or a span before now such as 12h or 7d."
)
@click.option("--until", callback=_moment, metavar="TIME", help="Only earlier ones.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=DEFAULT_LIMIT, show_default=True, help="The most events to list."
)
@click.option("--all", "everything", is_flag=True, help="List all events.")
@json_option
def audit(
    *,
    user: str | None,
    operation: str | None,
    about: str | None,
    code: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    everything: bool,
    as_json: bool,
) -> int:
    """List requests that write, from the audit log.

    The newest come first; refused ones are listed, too. Needs an admin's token.
    """
    query = AuditQuery(user=user, operation=operation, object=about, code=code, since=since, until=until)

    async def run(client: LongshoreClient) -> ExitCode:
        found, more = await _collect(client, query, None if everything else limit)
        if as_json:
            print_json([event.raw for event in found])
        elif found:
            print_table(results(), _COLUMNS, [_row(event) for event in found])
        else:
            note("No requests.")
        if more and not as_json:
            note(f"There are more than {len(found)} requests; --all lists all.")
        return ExitCode.DONE

    return with_client(run)


async def _collect(client: LongshoreClient, query: AuditQuery, limit: int | None) -> tuple[Sequence[AuditEvent], bool]:
    """Return the events up to the limit, and whether there are more."""
    found: list[AuditEvent] = []
    async with aclosing(client.audit_events(query)) as events:
        async for event in events:
            if limit is not None and len(found) >= limit:
                return found, True
            found.append(event)
    return found, False


def _row(event: AuditEvent) -> Sequence[str]:
    return (
        event.at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if event.at else "",
        event.user or "nobody known",
        event.operation,
        event.object,
        f"{event.code or 'accepted'}, {event.status}",
        "" if event.rule_id is None else str(event.rule_id),
        "" if event.token_id is None else str(event.token_id),
        event.address,
        event.request_id,
    )
