"""State and progress of an image's newest import."""

from dataclasses import dataclass, field
from datetime import datetime

from longshore_client.answers import Json, decode, need

FINAL_STATES = frozenset({"ready", "failed", "cancelled"})


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
        return decode(cls, {**document, "layers": layers}, raw=document)
