"""`longshore import` of a list: starts all imports, follows them to their end, and prints the result of each."""

import time
from collections import Counter
from collections.abc import Sequence

from longshore_client.batch import Batch, BatchEntry
from longshore_client.client import LongshoreClient
from longshore_client.commands.exit_codes import ExitCode
from longshore_client.commands.follow_import import FollowOptions
from longshore_client.commands.interruption import InterruptedByUserError, Interruption
from longshore_client.import_request import ImportRequest
from longshore_client.import_result import ImportResult
from longshore_client.terminal.batch_view import batch_view
from longshore_client.terminal.figures import duration, size
from longshore_client.terminal.output import messages, note, print_json, results


async def import_many(client: LongshoreClient, requests: Sequence[ImportRequest], options: FollowOptions) -> ExitCode:
    """Import all images of a list. The failure of one does not affect the others."""
    await client.whoami()  # An error that every import would meet is reported once, before the first one.
    begun, entries, interruption = time.monotonic(), [BatchEntry(request) for request in requests], Interruption()
    with interruption.handling_ctrl_c():
        await _run(client, entries, options, interruption)
    outcomes = [entry.result() for entry in entries]
    _print(outcomes, options)
    note(_summary(outcomes, seconds=time.monotonic() - begun))
    if interruption.requested:
        _note_detached(entries)
        return ExitCode.INTERRUPTED
    return ExitCode.DONE if all(result.successful for result in outcomes) else ExitCode.FAILED


async def _run(
    client: LongshoreClient, entries: Sequence[BatchEntry], options: FollowOptions, interruption: Interruption
) -> None:
    with batch_view(messages(), entries, time.monotonic) as view:
        batch = Batch(
            client=client,
            entries=entries,
            wait=options.wait,
            retry_for=options.retry_for,
            on_done=view.show_result,
            on_retry=view.show_retry,
        )
        try:
            await interruption.run_until_requested(batch.run())
        except InterruptedByUserError:
            await batch.stop()
            if options.cancel_on_interrupt:
                await batch.cancel()


def _print(outcomes: Sequence[ImportResult], options: FollowOptions) -> None:
    if options.as_json:
        print_json([result.to_json() for result in outcomes])
        return
    for result in outcomes:
        if result.successful and result.image:
            results().out(result.image.reference if options.wait else result.image.id, highlight=False)


def _summary(outcomes: Sequence[ImportResult], *, seconds: float) -> str:
    states = Counter(result.state for result in outcomes)
    counts = ", ".join(f"{number} {state}" for state, number in states.most_common())
    total = sum(result.image.size for result in outcomes if result.image and result.state == "ready")
    imported = f", {size(total)}" if total else ""
    return f"{len(outcomes)} images: {counts}{imported}, {duration(seconds)}"


def _note_detached(entries: Sequence[BatchEntry]) -> None:
    if any(entry.open for entry in entries):
        note("Left alone; imports that have started go on. See them: longshore images --not-ready")
