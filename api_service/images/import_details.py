"""GET /images/:id/importing-details: how an image's newest import stands, in the contract's words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api_service.images.checks import image_not_found
from api_service.web.times import rfc3339
from shared.db import images, imports
from shared.db.database import Database
from shared.db.import_progress import get_layers
from shared.db.imports import Import
from shared.errors.codes import Code
from shared.errors.kinds import ERROR_KINDS
from shared.model.progress import LayerProgress, LayerStatus, eta_seconds
from shared.model.states import FINAL_STATES, ImageStatus, ImportState, outer_status

# A running import on which nothing has moved for this long is called stalled: many reports' worth. Seconds.
STALLED_AFTER = 15.0

_MESSAGES = {
    ImportState.QUEUED: "Waiting for a worker.",
    ImportState.READY: "The image is ready.",
    ImportState.CANCELLED: "The import was cancelled.",
}


def _describe_error(code: Code, detail: str | None) -> dict[str, Any]:
    kind = ERROR_KINDS[code]
    return {
        "code": kind.code,
        "side": kind.side.value,
        "retryable": kind.retryable,
        "hint": kind.hint,
        "title": kind.title,
        "detail": detail,
    }


# Beside an import that was ready, where its image is not any more.
_NOT_SERVED = "The target's tag does not point to what was imported any more."
_LOST = {
    "status": ImageStatus.FAILED.value,
    "message": _NOT_SERVED,
    "error": _describe_error(Code.TARGET_NOT_FOUND, _NOT_SERVED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportingDetails:
    """One look at an import. `version` changes with every report and state; after a `final` one nothing follows."""

    version: str
    final: bool
    body: Mapping[str, Any]


async def read_details(database: Database, image_id: int) -> ImportingDetails:
    """Look at an image's newest import; raises `image_not_found`."""
    async with database.connection() as connection:
        latest = await imports.latest_import(connection, image_id)
        if latest is None:
            raise image_not_found(image_id)
        layers = await get_layers(connection, latest.id)
        lost = latest.state is ImportState.READY and await images.is_lost(connection, image_id)
    return ImportingDetails(
        version=f"{latest.name}/{latest.attempt}.{latest.sequence}.{latest.state.value}",
        final=latest.state in FINAL_STATES,
        body=describe_import(latest, layers) | (_LOST if lost else {}),
    )


def describe_import(latest: Import, layers: Mapping[str, LayerProgress]) -> dict[str, Any]:
    """Return the details' body. Bytes are whole, `rate` is in bytes per second, `eta` in seconds."""
    running = latest.state is ImportState.RUNNING
    stalled = running and (latest.idle or 0) > STALLED_AFTER
    eta = eta_seconds(latest.bytes_total - latest.bytes_done, latest.rate) if running and not stalled else None
    return {
        "name": latest.name,
        "status": outer_status(latest.state).value,
        "state": latest.state.value,
        "progress": latest.progress,
        "bytesDone": latest.bytes_done,
        "bytesTotal": latest.bytes_total,
        "rate": 0 if stalled else round(latest.rate),
        "eta": None if eta is None else round(eta),
        "attempt": latest.attempt,
        "stalled": stalled,
        "message": _message(latest, stalled=stalled),
        "error": _error(latest),
        "resumesAt": rfc3339(latest.due_at) if latest.state is ImportState.WAITING else None,
        "layersDetail": {digest: _layer(layer, latest.state) for digest, layer in layers.items()},
    }


def _message(latest: Import, *, stalled: bool) -> str:
    if latest.state is ImportState.RUNNING:
        return _running_message(latest, stalled=stalled)
    if latest.error_code is None or latest.state not in (ImportState.WAITING, ImportState.FAILED):
        return f"{_MESSAGES.get(latest.state, latest.state.value.capitalize())} {latest.note}".strip()
    reason = f"{ERROR_KINDS[latest.error_code].title}: {latest.error_detail}"
    if latest.state is ImportState.FAILED:
        return reason
    again = "Resumes" if ERROR_KINDS[latest.error_code].parks else "Tried again"
    return f"{again} at {rfc3339(latest.due_at)}. {reason}"


def _running_message(latest: Import, *, stalled: bool) -> str:
    if stalled:
        return "Nothing has moved for a while; the worker is still there."
    if latest.tagging:
        return "Everything is copied; the tag is being written."
    if latest.bytes_total == 0:
        return "Reading what the image consists of."
    return "Copying."


def _error(latest: Import) -> dict[str, Any] | None:
    """Return why an import waits or has failed; one that runs again has left its old error behind."""
    if latest.error_code is None or latest.state not in (ImportState.WAITING, ImportState.FAILED):
        return None
    return _describe_error(latest.error_code, latest.error_detail)


def _layer(layer: LayerProgress, state: ImportState) -> dict[str, Any]:
    ended = state in (ImportState.FAILED, ImportState.CANCELLED)
    status = LayerStatus.FAILED if ended and layer.status is LayerStatus.DOWNLOADING else layer.status
    return {
        "status": status.value,
        "progress": layer.percent,
        "size": layer.size,
        "offset": layer.offset,
        "transfer": layer.transfer.value if layer.transfer else None,
    }
