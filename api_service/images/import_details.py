"""The use case behind GET /images/:id/importing-details: the state of an image's newest import."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from api_service.auth.identity import Identity
from api_service.images.checks import image_not_found
from api_service.images.visibility import ContentVisibility, without_digests
from shared.db import images, imports
from shared.db.database import Connection, Database
from shared.db.images import Image
from shared.db.import_progress import count_layers, get_foremost_layers, get_layer_page
from shared.db.imports import Import
from shared.errors.codes import Code
from shared.model.progress import LayerGroup, LayerProgress, LayersSummary, LayerStatus, eta_seconds
from shared.model.states import FINAL_STATES, ImageStatus, ImportState, outer_status

# A running import without progress for this long is called stalled: a worker reports many times in it. Seconds.
STALLED_AFTER = 15.0
# Layers of one answer: an ordinary image has fewer, and to read, compare and write so many takes a few milliseconds of
# the event loop. Of an image with more, an answer has those that move, and the numbers of all; pages have the others.
MAX_LAYERS_SHOWN = 300
# The failure of an image that was imported and that the target no longer serves.
NOT_SERVED = "The target's tag does not point to the imported image any more."


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportFailure:
    """Why an import waits or has failed."""

    code: Code
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPage:
    """Selects layers in the image's order; `number` counts from 0, `size` is at most MAX_LAYERS_SHOWN."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """The number of layers before the page."""
        return self.number * self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportDetails:
    """The state of an import. Two that are equal show the same, so that a stream sends changes alone.

    `version` changes with every report and state. `rate` is in bytes per second, `eta` in seconds; both are whole.
    `tagging`: the tag may have been written. `lost`: the import succeeded, and the target no longer serves its image.
    `layers` are at most MAX_LAYERS_SHOWN of those that `summary` counts: a page, or those that move.
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
    summary: LayersSummary
    hidden: bool

    @property
    def final(self) -> bool:
        """Whether no change will follow."""
        return self.state in FINAL_STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSnapshot:
    """The state of an import at one moment, for any caller.

    `details` hide nothing. `image` is None unless the import's source needs an account, and its visibility a decision.
    """

    details: ImportDetails
    source: str
    image: Image | None

    def view(self, *, hidden: bool) -> ImportDetails:
        """Return the details as they are shown to callers who see the content, or to those who do not."""
        return _hidden(self.details) if hidden else self.details


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportDetailsReader:
    """Reads the details of imports."""

    database: Database
    visibility: ContentVisibility

    async def read(self, image_id: int, by: Identity, page: LayerPage | None = None) -> ImportDetails:
        """Return the details of an image's newest import, with a page of its layers; raises `image_not_found`."""
        snapshot = await self.snapshot(image_id, page)
        return snapshot.view(hidden=await self.hides(snapshot, by))

    async def snapshot(self, image_id: int, page: LayerPage | None = None) -> ImportSnapshot:
        """Return the state of an image's newest import; raises `image_not_found`."""
        async with self.database.connection() as connection:
            latest = await imports.latest_import(connection, image_id)
            image = await images.get_image(connection, image_id) if latest and latest.with_account else None
            if latest is None or (latest.with_account and image is None):
                raise image_not_found(image_id)
            layers, summary = await _read_layers(connection, latest, page)
            lost = latest.state is ImportState.READY and await images.is_lost(connection, image_id)
        return ImportSnapshot(details=_details(latest, layers, summary, lost=lost), source=latest.source, image=image)

    async def hides(self, snapshot: ImportSnapshot, by: Identity) -> bool:
        """Return whether the caller does not see the content; this takes no query of its own."""
        return snapshot.image is not None and await self.visibility.hides_import(snapshot.source, snapshot.image, by)


async def _read_layers(
    connection: Connection, latest: Import, page: LayerPage | None
) -> tuple[Mapping[str, LayerProgress], LayersSummary]:
    """Return the layers to show, and all of them counted."""
    if page:
        layers = await get_layer_page(connection, latest.id, first=page.offset, limit=page.size)
        return _shown(layers, latest), _summary(await count_layers(connection, latest.id), latest)
    layers = await get_foremost_layers(connection, latest.id, limit=MAX_LAYERS_SHOWN)
    complete = len(layers) < MAX_LAYERS_SHOWN
    groups = map(_group, layers.values()) if complete else await count_layers(connection, latest.id)
    return _shown(layers, latest), _summary(groups, latest)


def _details(
    latest: Import, layers: Mapping[str, LayerProgress], summary: LayersSummary, *, lost: bool
) -> ImportDetails:
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
        layers=layers,
        summary=summary,
        hidden=False,
    )


def _hidden(details: ImportDetails) -> ImportDetails:
    failure = details.failure
    if failure:
        failure = replace(failure, detail=without_digests(failure.detail))
    note = without_digests(details.note)
    return replace(details, hidden=True, layers={}, summary=LayersSummary(), note=note, failure=failure)


def _failure(latest: Import) -> ImportFailure | None:
    """Return the failure; an import that runs again keeps its last error in its row, and does not show it."""
    if latest.error_code is None or latest.state not in (ImportState.WAITING, ImportState.FAILED):
        return None
    return ImportFailure(code=latest.error_code, detail=latest.error_detail or "")


def _shown(layers: Mapping[str, LayerProgress], latest: Import) -> Mapping[str, LayerProgress]:
    return {digest: replace(layer, status=_status(layer.status, latest.state)) for digest, layer in layers.items()}


def _summary(groups: Iterable[LayerGroup], latest: Import) -> LayersSummary:
    return LayersSummary.of(replace(group, status=_status(group.status, latest.state)) for group in groups)


def _group(layer: LayerProgress) -> LayerGroup:
    return LayerGroup(status=layer.status, transfer=layer.transfer, layers=1, bytes=layer.offset)


def _status(status: LayerStatus, state: ImportState) -> LayerStatus:
    """Return a status as it is shown: no layer of an import that has ended is still being downloaded."""
    if state in (ImportState.FAILED, ImportState.CANCELLED) and status is LayerStatus.DOWNLOADING:
        return LayerStatus.FAILED
    return status
