"""`longshore import SOURCE`: from the request to the reference to pull."""

from longshore_client.commands.exit_codes import ExitCode
from longshore_client.commands.follow_import import Manner, follow_import, tell_detached
from longshore_client.commands.import_result import ImportResult
from longshore_client.commands.interruption import Interruption
from longshore_client.import_request import ImportRequest
from longshore_client.longshore_client import LongshoreClient
from longshore_client.started_import import StartedImport
from longshore_client.terminal.figures import size
from longshore_client.terminal.output import messages, note, print_json, results
from longshore_client.terminal.report import tell_result


async def import_one(client: LongshoreClient, request: ImportRequest, manner: Manner) -> ExitCode:
    """Start an import, show it to its end, and print what to pull."""
    interruption = Interruption()
    interruption.noticed = lambda: note("Waiting for the API's answer; Ctrl-C once more ends at once.")
    with interruption.listening():
        started = await client.start(request)
        interruption.noticed = None
        return await finish_import(client, request.source, started, manner, interruption)


async def finish_import(
    client: LongshoreClient, source: str, started: StartedImport, manner: Manner, interruption: Interruption
) -> ExitCode:
    """Follow a started import as far as it is wanted, and tell the outcome."""
    details = None
    if manner.wait and not started.already:
        title = f"{source}, image {started.image_id}"
        details = await follow_import(client, started.image_id, title, manner, interruption)
        if details is None:
            tell_detached(started.image_id)
            return ExitCode.INTERRUPTED
    image = await client.image(started.image_id)
    result = ImportResult(source=source, started=started, details=details, image=image)
    _tell(result, manner)
    if interruption.asked:
        return ExitCode.INTERRUPTED
    return ExitCode.DONE if result.good else ExitCode.FAILED


def _tell(result: ImportResult, manner: Manner) -> None:
    if manner.as_json:
        print_json(result.to_json())
        return
    tell_result(result, console=messages(), how=_how(result))
    if result.good and result.image:
        results().out(result.image.reference if manner.wait else result.image.id, highlight=False)


def _how(result: ImportResult) -> str:
    """Say what came, and how its blobs did."""
    if result.details is None or result.image is None or not result.details.ready:
        return ""
    ways = [layer.transfer for layer in result.details.layers]
    words = (("copied", "copied"), ("mounted", "mounted"), ("existing", "there before"))
    told = [f"{ways.count(way)} {word}" for way, word in words if ways.count(way)]
    return size(result.image.size) + (f"; blobs: {', '.join(told)}" if told else "")
