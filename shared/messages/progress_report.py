"""The worker's progress report, the body of `PUT /images:import/:name/progress`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validate, validates_schema

from shared.errors.codes import Code
from shared.messages.versioned import VERSION, Versioned, without_none
from shared.model.image_content import ImageContent
from shared.model.integers import MAX_INT32, MAX_INT64
from shared.model.progress import LayerProgress, LayerStatus, Transfer
from shared.oci.digest import Digest

# Above the layers of every image that a registry accepts (see shared.oci.manifest); bounds a report's size.
MAX_LAYERS_REPORTED = 20_000
MAX_DETAIL_LENGTH = 2_000


class ReportedState(StrEnum):
    """The state of an import as its worker reports it."""

    RUNNING = "running"
    TAGGING = "tagging"
    """The target has all blobs and child manifests; if the API accepts this report, the worker writes the tag next."""
    READY = "ready"
    FAILED = "failed"
    HANDED_BACK = "handed_back"
    """The worker stops; another worker may claim the import at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedError:
    """The reason why an attempt ended; the API decides whether to retry. `retry_after` is in seconds."""

    code: Code
    detail: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressReport:
    """One report on one attempt. `layers` has the layers that changed since the last report that the API answered.

    `claim_token`: as in `shared.model.claim`. `source_digest` is the digest that the attempt copies; later attempts
    copy the same one. `tag_digest`, sent with the state tagging, is the digest that the tag will point to.
    """

    attempt: int
    claim_token: UUID | None = None
    sequence: int
    state: ReportedState
    layers: Mapping[str, LayerProgress] = field(default_factory=dict)
    source_digest: str | None = None
    error: ReportedError | None = None
    content: ImageContent | None = None
    tag_digest: str | None = None


def valid_digest(value: str) -> None:
    """Raise ValidationError unless the value is a digest."""
    try:
        Digest.parse(value)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def token_of_claim() -> fields.UUID:
    """Return the field of the claim's token, which workers of earlier releases do not send."""
    return fields.UUID(data_key="claimToken", load_default=None, allow_none=True)


def _byte_count(**options: Any) -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(0, MAX_INT64), **options)


class _LayerSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    size = _byte_count(required=True)
    offset = _byte_count(required=True)
    status = fields.Enum(LayerStatus, by_value=True, required=True)
    transfer = fields.Enum(Transfer, by_value=True, load_default=None, allow_none=True)

    @validates_schema
    def _offset_within_size(self, data: dict[str, Any], **_: Any) -> None:
        if data["offset"] > data["size"]:
            raise ValidationError("the offset lies beyond the size", "offset")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> LayerProgress:
        return LayerProgress(**data)


class _ErrorSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    code = fields.String(required=True, validate=validate.OneOf(list(Code)))
    detail = fields.String(required=True, validate=validate.Length(max=MAX_DETAIL_LENGTH))
    retry_after = fields.Float(
        data_key="retryAfter", load_default=None, allow_none=True, validate=validate.Range(min=0)
    )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> ReportedError:
        return ReportedError(**{**data, "code": Code(data["code"])})


class _ContentSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    source_digest = fields.String(data_key="sourceDigest", required=True, validate=valid_digest)
    digest = fields.String(required=True, validate=valid_digest)
    size = _byte_count(required=True)
    architecture = fields.String(required=True)
    os = fields.String(required=True)
    platforms = fields.List(fields.String(), required=True)
    include_type = fields.String(data_key="includeType", required=True, validate=validate.OneOf(("full", "partial")))
    description = fields.String(load_default="", validate=validate.Length(max=MAX_DETAIL_LENGTH))
    referrers = fields.Integer(strict=True, load_default=0, validate=validate.Range(0, MAX_INT32))
    note = fields.String(load_default="", validate=validate.Length(max=MAX_DETAIL_LENGTH))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> ImageContent:
        return ImageContent(**{**data, "platforms": tuple(data["platforms"])})


class ProgressReportSchema(Versioned):
    """The body of `PUT /images:import/:name/progress`."""

    attempt = fields.Integer(strict=True, required=True, validate=validate.Range(1, MAX_INT32))
    claim_token = token_of_claim()
    sequence = fields.Integer(strict=True, required=True, validate=validate.Range(1, MAX_INT64))
    state = fields.Enum(ReportedState, by_value=True, required=True)
    layers = fields.Dict(
        fields.String(validate=valid_digest),
        fields.Nested(_LayerSchema),
        load_default=dict,
        validate=validate.Length(max=MAX_LAYERS_REPORTED),
    )
    source_digest = fields.String(data_key="sourceDigest", load_default=None, allow_none=True, validate=valid_digest)
    tag_digest = fields.String(data_key="tagDigest", load_default=None, allow_none=True, validate=valid_digest)
    error = fields.Nested(_ErrorSchema, load_default=None, allow_none=True)
    content = fields.Nested(_ContentSchema, load_default=None, allow_none=True)

    @validates_schema
    def _outcome_is_complete(self, data: dict[str, Any], **_: Any) -> None:
        if (data["state"] is ReportedState.FAILED) != (data["error"] is not None):
            raise ValidationError("an error goes with the state failed, and only with it", "error")
        if (data["state"] is ReportedState.READY) != (data["content"] is not None):
            raise ValidationError("the content goes with the state ready, and only with it", "content")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> ProgressReport:
        del data["version"]
        return ProgressReport(**data)


# Created once: creating a schema costs more than dumping a message.
_REPORT = ProgressReportSchema()


def dump_report(report: ProgressReport) -> dict[str, Any]:
    """Return the report as the JSON object of the PUT's body."""
    return {"version": VERSION, **without_none(_REPORT.dump(report))}
