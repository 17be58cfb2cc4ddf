"""How an image's newest import stands."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from longshore_client.answer import Json, maybe, moment, need

FINAL_STATES = frozenset({"ready", "failed", "cancelled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A blob. `status`: pending, downloading, completed or failed; `transfer`: copied, mounted, existing, or None."""

    digest: str
    status: str
    progress: int
    size: int
    offset: int
    transfer: str | None

    @classmethod
    def of(cls, digest: str, document: Json) -> "Layer":
        """Read the API's layer; the contract promises its first two fields alone."""
        return cls(
            digest=digest,
            status=need(document, "status", str),
            progress=need(document, "progress", int),
            size=maybe(document, "size", int) or 0,
            offset=maybe(document, "offset", int) or 0,
            transfer=maybe(document, "transfer", str),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportFailure:
    """Why an import waits or has failed; `side` is whose door to knock at."""

    code: str
    side: str
    retryable: bool
    title: str
    detail: str
    hint: str

    @classmethod
    def of(cls, document: Json) -> "ImportFailure":
        """Read the API's error of an import."""
        return cls(
            code=need(document, "code", str),
            side=need(document, "side", str),
            retryable=need(document, "retryable", bool),
            title=need(document, "title", str),
            detail=need(document, "detail", str),
            hint=need(document, "hint", str),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportDetails:
    """One look at an import. Bytes are whole, `rate` is in bytes a second, `eta` in seconds; `raw` is the API's own."""

    name: str
    state: str
    progress: int
    bytes_done: int
    bytes_total: int
    rate: int
    eta: int | None
    attempt: int
    stalled: bool
    message: str
    error: ImportFailure | None
    resumes_at: datetime | None
    layers: Sequence[Layer]
    raw: Json = field(repr=False)

    @property
    def final(self) -> bool:
        """Whether nothing follows."""
        return self.state in FINAL_STATES

    @property
    def ready(self) -> bool:
        """Whether the image is in the target."""
        return self.state == "ready"

    @classmethod
    def of(cls, document: Json) -> "ImportDetails":
        """Read the API's answer or event."""
        failure = maybe(document, "error", dict)
        return cls(
            name=need(document, "name", str),
            state=need(document, "state", str),
            progress=need(document, "progress", int),
            bytes_done=need(document, "bytesDone", int),
            bytes_total=need(document, "bytesTotal", int),
            rate=need(document, "rate", int),
            eta=maybe(document, "eta", int),
            attempt=need(document, "attempt", int),
            stalled=need(document, "stalled", bool),
            message=need(document, "message", str),
            error=ImportFailure.of(failure) if failure else None,
            resumes_at=moment(document, "resumesAt"),
            layers=tuple(Layer.of(digest, layer) for digest, layer in need(document, "layersDetail", dict).items()),
            raw=document,
        )
