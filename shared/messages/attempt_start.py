"""A worker's two requests before it copies: the terms of its attempt, and the admission of the image's bytes.

The module has the bodies of `POST /images:import/:name/begin` and `POST /images:import/:name/admit`, and the terms in
the answer to the first. Either answer may be the instruction to stop instead: the API has ended the import.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validate

from shared.messages.action import Action
from shared.messages.progress_report import token_of_claim, valid_digest
from shared.messages.versioned import VERSION, Versioned, without_none
from shared.model.claim import OfClaim
from shared.model.credential import Credential
from shared.model.integers import MAX_INT32, MAX_INT64

# `ExpectedTag.before` of a tag that does not exist.
NO_TAG = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStart:
    """The request for an attempt's terms. `claim_token`: as in `shared.model.claim`."""

    attempt: int
    claim_token: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedTag:
    """The state of the target's tag in which the worker may write it: besides these, only the digest that it writes.

    `before` is the digest that the tag pointed to when the import was accepted: NO_TAG if there was no such tag, None
    if the import is older than this check and the tag is not compared. `replaceable` are digests that imports of this
    image wrote.
    """

    before: str | None = None
    replaceable: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptTerms:
    """The terms on which an attempt may copy.

    `credential` is the source's account, None for anonymous access. `may_create_project`: a missing project of the
    target is created. `limited`: the image's bytes have to be admitted after planning, before the first of them is
    copied. `max_image_bytes` is the limit for one image, None where there is none. `seconds_left` is the time until the
    import's deadline, None if the API does not send it.
    """

    credential: Credential | None = None
    may_create_project: bool = True
    tag: ExpectedTag = ExpectedTag()
    limited: bool = False
    max_image_bytes: int | None = None
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageAdmission:
    """The request to import an image of this size; the API reserves its bytes."""

    attempt: int
    claim_token: UUID | None = None
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """The answer that the image is admitted. `may_create_project` is that of the rule that admits it."""

    may_create_project: bool


def _attempt() -> fields.Integer:
    return fields.Integer(strict=True, required=True, validate=validate.Range(1, MAX_INT32))


def _continue() -> fields.String:
    return fields.String(
        required=True,
        validate=validate.Equal(Action.CONTINUE.value),
        metadata={"description": "Go on with the import."},
    )


def _may_create_project() -> fields.Boolean:
    return fields.Boolean(
        data_key="mayCreateProject", required=True, metadata={"description": "Whether a missing project is created."}
    )


class AttemptStartSchema(Versioned):
    """The body of `POST /images:import/:name/begin`."""

    attempt = _attempt()
    claim_token = token_of_claim()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> AttemptStart:
        return AttemptStart(attempt=data["attempt"], claim_token=data["claim_token"])


class ImageAdmissionSchema(Versioned):
    """The body of `POST /images:import/:name/admit`."""

    attempt = _attempt()
    claim_token = token_of_claim()
    bytes = fields.Integer(strict=True, required=True, validate=validate.Range(0, MAX_INT64))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> ImageAdmission:
        return ImageAdmission(attempt=data["attempt"], claim_token=data["claim_token"], bytes=data["bytes"])


class SourceAccountSchema(Schema):
    """An account of the source, in the answer to the worker that holds the import."""

    class Meta:  # noqa: D106 - marshmallow's own form
        unknown = EXCLUDE

    username = fields.String(required=True, metadata={"description": "The user name."})
    password = fields.String(required=True, metadata={"description": "The password."})

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Credential:
        return Credential(data["username"], data["password"])


class ExpectedTagSchema(Schema):
    """The state of the target's tag in which the worker may write it."""

    class Meta:  # noqa: D106 - marshmallow's own form
        unknown = EXCLUDE

    before = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "The digest that it pointed to when the import was accepted; empty: there was no such tag; "
            "null: it is not compared."
        },
    )
    replaceable = fields.List(
        fields.String(validate=valid_digest),
        required=True,
        metadata={"description": "Digests that imports of this image wrote."},
    )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> ExpectedTag:
        return ExpectedTag(before=data["before"], replaceable=frozenset(data["replaceable"]))


class AttemptTermsSchema(Schema):
    """The answer to `POST /images:import/:name/begin` with the instruction to go on."""

    class Meta:  # noqa: D106 - marshmallow's own form
        unknown = EXCLUDE

    action = _continue()
    credential = fields.Nested(
        SourceAccountSchema,
        data_key="credentials",
        required=True,
        allow_none=True,
        metadata={"description": "The source's account; null: anonymous access."},
    )
    may_create_project = _may_create_project()
    tag = fields.Nested(
        ExpectedTagSchema,
        required=True,
        metadata={"description": "The state of the target's tag in which it may be written."},
    )
    limited = fields.Boolean(
        required=True, metadata={"description": "Whether the image's bytes have to be admitted before they are copied."}
    )
    max_image_bytes = fields.Integer(
        data_key="maxImageBytes",
        strict=True,
        required=True,
        allow_none=True,
        validate=validate.Range(min=1),
        metadata={"description": "The limit of one image, in bytes; null: no limit."},
    )
    # Not required: an API of the last release does not send it.
    seconds_left = fields.Float(
        data_key="secondsLeft",
        load_default=None,
        allow_none=True,
        validate=validate.Range(min=0),
        metadata={"description": "The seconds until the import's deadline."},
    )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> AttemptTerms:
        del data["action"]
        return AttemptTerms(**data)


class AdmittedSchema(Schema):
    """The answer to `POST /images:import/:name/admit` with the instruction to go on."""

    class Meta:  # noqa: D106 - marshmallow's own form
        unknown = EXCLUDE

    action = _continue()
    may_create_project = _may_create_project()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Admitted:
        return Admitted(may_create_project=data["may_create_project"])


# Created once: creating a schema costs more than dumping a message.
_TERMS = AttemptTermsSchema()
_ADMITTED = AdmittedSchema()


def dump_start(start: AttemptStart) -> dict[str, Any]:
    """Return the JSON object of the body of `begin`."""
    return _of_claim(start)


def dump_admission(admission: ImageAdmission) -> dict[str, Any]:
    """Return the JSON object of the body of `admit`."""
    return {**_of_claim(admission), "bytes": admission.bytes}


def _of_claim(message: OfClaim) -> dict[str, Any]:
    token = message.claim_token
    claim = {"version": VERSION, "attempt": message.attempt, "claimToken": None if token is None else str(token)}
    return without_none(claim)


def dump_terms(terms: AttemptTerms) -> dict[str, Any]:
    """Return the terms as the JSON object of the answer."""
    account, tag = terms.credential, terms.tag
    return {
        "action": Action.CONTINUE.value,
        "credentials": {"username": account.username, "password": account.password} if account else None,
        "mayCreateProject": terms.may_create_project,
        "tag": {"before": tag.before, "replaceable": sorted(tag.replaceable)},
        "limited": terms.limited,
        "maxImageBytes": terms.max_image_bytes,
        "secondsLeft": terms.seconds_left,
    }


def load_terms(answer: Mapping[str, Any]) -> AttemptTerms:
    """Read the terms from the answer to `begin`; raises ValueError."""
    terms: AttemptTerms = _load(_TERMS, answer)
    return terms


def dump_admitted(admitted: Admitted) -> dict[str, Any]:
    """Return the admission as the JSON object of the answer."""
    return {"action": Action.CONTINUE.value, "mayCreateProject": admitted.may_create_project}


def load_admitted(answer: Mapping[str, Any]) -> Admitted:
    """Read the answer to `admit`; raises ValueError."""
    admitted: Admitted = _load(_ADMITTED, answer)
    return admitted


def _load(schema: Schema, answer: Mapping[str, Any]) -> Any:
    try:
        return schema.load(answer)
    except ValidationError as error:
        # The values are left out: one of them is a password.
        names = ", ".join(sorted(map(str, error.messages_dict)))
        raise ValueError(f"its {names} is missing or malformed") from None
