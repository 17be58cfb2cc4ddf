"""An import that has been accepted, shown until it ends or somebody presses Ctrl-C."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass

from longshore_client.commands.interruption import InterruptedByPersonError, Interruption
from longshore_client.errors import ApiError
from longshore_client.import_details import ImportDetails
from longshore_client.longshore_client import LongshoreClient
from longshore_client.terminal.import_view import ImportView, view_for
from longshore_client.terminal.output import messages, note

# An import that writes its tag cannot be cancelled; it ends in moments, and is asked again until then. Seconds.
CANCEL_PAUSE = 1.0
_ENDED = "import_not_open"
_FINISHING = "import_finishing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How imports are followed. `patience`: seconds for which the API may be away."""

    wait: bool
    cancel: bool
    as_json: bool
    patience: float


async def follow_import(
    client: LongshoreClient, image_id: int, title: str, manner: Manner, interruption: Interruption
) -> ImportDetails | None:
    """Show an import to its end and return the final details; None where somebody left it to itself."""
    with view_for(messages(), title) as view:
        try:
            return await interruption.race(_show(client, image_id, view, manner))
        except InterruptedByPersonError:
            if not manner.cancel:
                return None
    return await cancel_for_good(client, image_id)


def tell_detached(image_id: int) -> None:
    """Say that an import goes on, and how to come back to it."""
    note(f"Left alone; the import goes on. Watch it: longshore watch {image_id}   End it: longshore cancel {image_id}")


async def cancel_for_good(client: LongshoreClient, image_id: int) -> ImportDetails:
    """Cancel an import and return how it ended: it may have been quicker."""
    while True:
        try:
            return await client.cancel(image_id)
        except ApiError as error:
            if error.code == _ENDED:
                return await client.details(image_id)
            if error.code != _FINISHING:
                raise
            await asyncio.sleep(CANCEL_PAUSE)


async def _show(client: LongshoreClient, image_id: int, view: ImportView, manner: Manner) -> ImportDetails:
    news = client.watch(image_id, patience=manner.patience, trouble=view.trouble)
    async with aclosing(news):
        async for details in news:
            view.show(details)
            if details.final:
                return details
    raise AssertionError("a watch ends with final details or an exception")
