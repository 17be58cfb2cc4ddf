"""`longshore import SOURCE`: from the request to the reference to pull."""

from longshore_client.client import LongshoreClient
from longshore_client.commands.exit_codes import ExitCode
from longshore_client.commands.follow_import import FollowOptions, follow_import
from longshore_client.commands.interruption import Interruption
from longshore_client.import_request import ImportRequest, StartedImport
from longshore_client.import_result import ImportResult
from longshore_client.terminal.figures import size
from longshore_client.terminal.output import messages, note, print_json, results
from longshore_client.terminal.report import print_result


async def import_one(client: LongshoreClient, request: ImportRequest, options: FollowOptions) -> ExitCode:
    """Start an import, show it to its end, and print the reference to pull."""
    interruption = Interruption()
    interruption.on_request = lambda: note("Waiting for the API's answer; a second Ctrl-C ends the command at once.")
    with interruption.handling_ctrl_c():
        started = await client.start(request)
        interruption.on_request = None
        return await finish_import(client, request.source, started, options, interruption)


async def finish_import(
    client: LongshoreClient, source: str, started: StartedImport, options: FollowOptions, interruption: Interruption
) -> ExitCode:
    """Follow a started import if the options say so, and print its result."""
    details = None
    if options.wait and not started.already:
        title = f"{source}, image {started.image_id}"
        details = await follow_import(client, started.image_id, title, options, interruption)
        if details is None:
            _note_detached(started.image_id)
            return ExitCode.INTERRUPTED
    image = await client.image(started.image_id)
    result = ImportResult(source=source, started=started, details=details, image=image)
    _print(result, options)
    if interruption.requested:
        return ExitCode.INTERRUPTED
    return ExitCode.DONE if result.successful else ExitCode.FAILED


def _note_detached(image_id: int) -> None:
    note(f"Left alone; the import goes on. Watch it: longshore watch {image_id}   End it: longshore cancel {image_id}")


def _print(result: ImportResult, options: FollowOptions) -> None:
    if options.as_json:
        print_json(result.to_json())
        return
    print_result(result, console=messages(), remark=_blob_summary(result))
    if result.successful and result.image:
        results().out(result.image.reference if options.wait else result.image.id, highlight=False)


def _blob_summary(result: ImportResult) -> str:
    """Return the image's size and the number of blobs by transfer; empty if nothing was imported."""
    if result.details is None or result.image is None or not result.details.ready:
        return ""
    summary = result.details.layers_summary
    blobs = ((summary.copied, "copied"), (summary.mounted, "mounted"), (summary.existing, "there before"))
    counts = [f"{moved.layers} {word}" for moved, word in blobs if moved.layers]
    return size(result.image.size) + (f"; blobs: {', '.join(counts)}" if counts else "")
