"""Follows an accepted import until it ends or the user presses Ctrl-C."""

from contextlib import aclosing
from dataclasses import dataclass

from longshore_client.client import LongshoreClient
from longshore_client.commands.interruption import InterruptedByUserError, Interruption
from longshore_client.import_details import ImportDetails
from longshore_client.terminal.import_view import ImportView, view_for
from longshore_client.terminal.output import messages


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowOptions:
    """How imports are followed."""

    wait: bool
    cancel_on_interrupt: bool
    retry_for: float
    """Seconds for which the API may be away."""
    as_json: bool


async def follow_import(
    client: LongshoreClient, image_id: int, title: str, options: FollowOptions, interruption: Interruption
) -> ImportDetails | None:
    """Show an import to its end and return the final details; None if the user detached from it with Ctrl-C."""
    with view_for(messages(), title) as view:
        try:
            return await interruption.run_until_requested(_show(client, image_id, view, options))
        except InterruptedByUserError:
            if not options.cancel_on_interrupt:
                return None
    return await client.cancel_and_wait(image_id)


async def _show(client: LongshoreClient, image_id: int, view: ImportView, options: FollowOptions) -> ImportDetails:
    async with aclosing(client.watch(image_id, retry_for=options.retry_for, on_retry=view.show_retry)) as updates:
        async for details in updates:
            view.show(details)
            if details.final:
                return details
    raise AssertionError("a watch ends with final details or an exception")
