"""The use case behind GET /images/:id/importing-details: the state of an image's newest import."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from api_service.auth.identity import Identity
from api_service.images.checks import image_not_found
from api_service.images.visibility import ContentVisibility, without_digests
from shared.db import images, imports
from shared.db.database import Database
from shared.db.import_progress import get_layers
from shared.db.imports import Import
from shared.errors.codes import Code
from shared.model.progress import LayerProgress, LayerStatus, eta_seconds
from shared.model.states import FINAL_STATES, ImageStatus, ImportState, outer_status

# A running import without progress for this long is called stalled: a worker reports many times in it. Seconds.
STALLED_AFTER = 15.0
# The failure of an image that was imported and that the target no longer serves.
NOT_SERVED = "The target's tag does not point to the imported image any more."


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportFailure:
    """Why an import waits or has failed."""

    code: Code
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportDetails:
    """The state of an import. Two that are equal show the same, so that a stream sends changes alone.

    `version` changes with every report and state. `rate` is in bytes per second, `eta` in seconds; both are whole.
    `tagging`: the tag may have been written. `lost`: the import succeeded, and the target no longer serves its image.
    `hidden`: the caller does not see the content; the layers are left out, and the digests of all texts.
    """

    version: str
    name: str
    state: ImportState
    status: ImageStatus
    attempt: int
    progress: int
    bytes_done: int
    bytes_total: int
    rate: int
    eta: int | None
    stalled: bool
    tagging: bool
    lost: bool
    note: str
    failure: ImportFailure | None
    resumes_at: datetime | None
    layers: Mapping[str, LayerProgress]
    hidden: bool

    @property
    def final(self) -> bool:
        """Whether no change will follow."""
        return self.state in FINAL_STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportDetailsReader:
    """Reads the details of imports."""

    database: Database
    visibility: ContentVisibility

    async def read(self, image_id: int, by: Identity) -> ImportDetails:
        """Return the details of an image's newest import; raises `image_not_found`."""
        async with self.database.connection() as connection:
            latest = await imports.latest_import(connection, image_id)
            if latest is None:
                raise image_not_found(image_id)
            image = await images.get_image(connection, image_id) if latest.with_account else None
            layers = await get_layers(connection, latest.id)
            lost = latest.state is ImportState.READY and await images.is_lost(connection, image_id)
        details = _details(latest, layers, lost=lost)
        if image and await self.visibility.hides_import(latest.source, image, by):
            return _hidden(details)
        return details


def _details(latest: Import, layers: Mapping[str, LayerProgress], *, lost: bool) -> ImportDetails:
    running = latest.state is ImportState.RUNNING
    stalled = running and (latest.idle or 0) > STALLED_AFTER
    eta = eta_seconds(latest.bytes_total - latest.bytes_done, latest.rate) if running and not stalled else None
    return ImportDetails(
        version=f"{latest.name}/{latest.attempt}.{latest.sequence}.{latest.state.value}",
        name=latest.name,
        state=latest.state,
        status=ImageStatus.FAILED if lost else outer_status(latest.state),
        attempt=latest.attempt,
        progress=latest.progress,
        bytes_done=latest.bytes_done,
        bytes_total=latest.bytes_total,
        rate=0 if stalled else round(latest.rate),
        eta=None if eta is None else round(eta),
        stalled=stalled,
        tagging=latest.tagging,
        lost=lost,
        note=latest.note,
        failure=ImportFailure(code=Code.TARGET_NOT_FOUND, detail=NOT_SERVED) if lost else _failure(latest),
        resumes_at=latest.due_at if latest.state is ImportState.WAITING else None,
        layers={digest: _layer(layer, latest.state) for digest, layer in layers.items()},
        hidden=False,
    )


def _hidden(details: ImportDetails) -> ImportDetails:
    failure = details.failure
    if failure:
        failure = replace(failure, detail=without_digests(failure.detail))
    return replace(details, hidden=True, layers={}, note=without_digests(details.note), failure=failure)


def _failure(latest: Import) -> ImportFailure | None:
    """Return the failure; an import that runs again keeps its last error in its row, and does not show it."""
    if latest.error_code is None or latest.state not in (ImportState.WAITING, ImportState.FAILED):
        return None
    return ImportFailure(code=latest.error_code, detail=latest.error_detail or "")


def _layer(layer: LayerProgress, state: ImportState) -> LayerProgress:
    """Return a layer as it is shown: no layer of an import that has ended is still being downloaded."""
    if state in (ImportState.FAILED, ImportState.CANCELLED) and layer.status is LayerStatus.DOWNLOADING:
        return replace(layer, status=LayerStatus.FAILED)
    return layer
