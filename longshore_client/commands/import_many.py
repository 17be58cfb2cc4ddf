"""`longshore import` of a list: start all, show them to their end, and say what became of each."""

import time
from collections import Counter
from collections.abc import Sequence

from longshore_client.commands.batch import Batch, Entry
from longshore_client.commands.exit_codes import ExitCode
from longshore_client.commands.follow_import import Manner
from longshore_client.commands.import_result import ImportResult
from longshore_client.commands.interruption import InterruptedByPersonError, Interruption
from longshore_client.import_request import ImportRequest
from longshore_client.longshore_client import LongshoreClient
from longshore_client.terminal.batch_view import batch_view
from longshore_client.terminal.figures import duration, size
from longshore_client.terminal.output import messages, note, print_json, results


async def import_many(client: LongshoreClient, requests: Sequence[ImportRequest], manner: Manner) -> ExitCode:
    """Import all; what one ends with does not touch the others."""
    await client.whoami()  # What would fail each of them is told once, and before anything.
    begun, entries, interruption = time.monotonic(), [Entry(request) for request in requests], Interruption()
    with interruption.listening():
        await _run(client, entries, manner, interruption)
    outcomes = [entry.result() for entry in entries]
    _tell(outcomes, manner, seconds=time.monotonic() - begun)
    if interruption.asked:
        _tell_interrupted(entries)
        return ExitCode.INTERRUPTED
    return ExitCode.DONE if all(result.good for result in outcomes) else ExitCode.FAILED


async def _run(client: LongshoreClient, entries: Sequence[Entry], manner: Manner, interruption: Interruption) -> None:
    with batch_view(messages(), entries, time.monotonic) as view:
        batch = Batch(
            client=client,
            entries=entries,
            wait=manner.wait,
            patience=manner.patience,
            told=view.told,
            trouble=view.trouble,
        )
        try:
            await interruption.race(batch.run())
        except InterruptedByPersonError:
            await batch.stop()
            if manner.cancel:
                await batch.cancel()


def _tell(outcomes: Sequence[ImportResult], manner: Manner, *, seconds: float) -> None:
    if manner.as_json:
        print_json([result.to_json() for result in outcomes])
    else:
        for result in outcomes:
            if result.good and result.image:
                results().out(result.image.reference if manner.wait else result.image.id, highlight=False)
    states = Counter(result.state for result in outcomes)
    told = ", ".join(f"{number} {state}" for state, number in states.most_common())
    total = sum(result.image.size for result in outcomes if result.image and result.state == "ready")
    moved = f", {size(total)}" if total else ""
    note(f"{len(outcomes)} images: {told}{moved}, {duration(seconds)}")


def _tell_interrupted(entries: Sequence[Entry]) -> None:
    if any(entry.open for entry in entries):
        note("Left alone; imports that have started go on. See them: longshore images --not-ready")
