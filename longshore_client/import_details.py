"""State and progress of an image's newest import."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from longshore_client.answers import Json, decode, need

FINAL_STATES = frozenset({"ready", "failed", "cancelled"})
# Ways in which a blob comes into the target.
TRANSFERS = ("copied", "mounted", "existing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A blob of the image."""

    digest: str
    status: str
    """`pending`, `downloading`, `completed` or `failed`."""
    progress: int
    """Per cent, 0 to 100."""
    size: int = 0
    """Bytes."""
    offset: int = 0
    """Bytes that are in the target."""
    transfer: str | None
    """`copied`, `mounted` or `existing`; None until the worker has decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferredLayers:
    """The blobs that reached the target in one way."""

    layers: int
    bytes: int
    """Bytes that are in the target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersSummary:
    """All blobs of the image, counted: `ImportDetails.layers` has at most some hundreds of them."""

    total: int
    pending: int
    downloading: int
    completed: int
    failed: int
    copied: TransferredLayers
    mounted: TransferredLayers
    existing: TransferredLayers

    @classmethod
    def of(cls, layers: Sequence[Layer]) -> "LayersSummary":
        """Count the layers, which are all: an API of an older release sends no summary."""
        statuses = Counter(layer.status for layer in layers)
        counts: dict[str, list[int]] = {transfer: [] for transfer in TRANSFERS}
        for layer in layers:
            if layer.transfer in counts:
                counts[layer.transfer].append(layer.offset)
        moved = {name: TransferredLayers(layers=len(sizes), bytes=sum(sizes)) for name, sizes in counts.items()}
        return cls(
            total=len(layers),
            pending=statuses["pending"],
            downloading=statuses["downloading"],
            completed=statuses["completed"],
            failed=statuses["failed"],
            **moved,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportFailure:
    """The reason why an import waits or has failed."""

    code: str
    """Stable, from the closed list in docs/troubleshooting.md."""
    side: str
    """`source`, `target`, `client` or `longshore`: the side that has to act."""
    retryable: bool
    """Whether a later attempt may succeed without a change."""
    title: str
    detail: str
    hint: str
    """What to do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportDetails:
    """A snapshot of an import. `raw` is the API's own object."""

    name: str
    state: str
    """`queued`, `waiting`, `running`, `ready`, `failed` or `cancelled`."""
    progress: int
    """Per cent, 0 to 100."""
    bytes_done: int
    bytes_total: int
    rate: int
    """Bytes per second."""
    eta: int | None
    """Seconds until the end; None while it cannot be estimated."""
    attempt: int
    stalled: bool
    message: str
    """One sentence for a person."""
    error: ImportFailure | None
    resumes_at: datetime | None
    layers: tuple[Layer, ...]
    """In the image's order: all, or those that move if there are more than some hundreds. `LongshoreClient.layers`
    reads all of them."""
    layers_summary: LayersSummary
    content_hidden: bool = False
    """Whether the layers are left out, as `Image.content_hidden` says."""
    raw: Json = field(repr=False)

    @property
    def final(self) -> bool:
        """Whether the import has ended."""
        return self.state in FINAL_STATES

    @property
    def ready(self) -> bool:
        """Whether the image is in the target."""
        return self.state == "ready"

    @classmethod
    def of(cls, document: Json) -> "ImportDetails":
        """Read the API's answer or event, which has the layers in an object by digest."""
        by_digest = need(document, "layersDetail", dict)
        layers = [{**layer, "digest": digest} for digest, layer in by_digest.items()]
        summary = document.get("layersSummary") or asdict(LayersSummary.of([decode(Layer, layer) for layer in layers]))
        return decode(cls, {**document, "layers": layers, "layersSummary": summary}, raw=document)
