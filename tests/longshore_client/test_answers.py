"""Dataclasses out of the API's JSON: each field is declared once, in its class."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest

from longshore_client import FullImage, Image, ImportPlan, UnexpectedAnswerError
from longshore_client.answers import Json, Key, decode


@dataclass(frozen=True, kw_only=True)
class Part:
    digest: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    bytes_done: int
    owner: Annotated[str, Key("createdBy")]
    state: Annotated[str | None, Key("import.state")]
    created: datetime | None
    parts: tuple[Part, ...] = ()
    note: str = "none"
    raw: Json = field(compare=False)


WHOLE = {
    "bytesDone": 7,
    "createdBy": "alice",
    "import": {"state": "running"},
    "created": "2026-11-30T10:00:00.000Z",
    "parts": [{"digest": "sha256:a"}],
    "note": "text",
    "later": "a field of a later release",
}


def test_fields_are_read_by_their_names_and_keys() -> None:
    """Camel case, an explicit key, a nested key, a time, objects; a field that the client does not know is ignored."""
    read = decode(Answer, WHOLE)
    assert (read.bytes_done, read.owner, read.state, read.note) == (7, "alice", "running", "text")
    assert read.created == datetime(2026, 11, 30, 10, tzinfo=UTC)
    assert read.parts == (Part(digest="sha256:a"),)
    assert read.raw == WHOLE


@pytest.mark.parametrize("empty", [{}, {"import": None, "created": None, "parts": None, "note": None}])
def test_optional_fields_may_be_null_or_missing(empty: dict[str, Any]) -> None:
    """An API of an older release does not send a newer field."""
    read = decode(Answer, {"bytesDone": 7, "createdBy": "alice", **empty})
    assert (read.state, read.created, read.parts, read.note) == (None, None, (), "none")


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"bytesDone": None}, "bytesDone"),
        ({"bytesDone": "7"}, "bytesDone"),
        ({"createdBy": 7}, "createdBy"),
        ({"import": "running"}, "import"),
        ({"created": "yesterday"}, "created"),
        ({"parts": {}}, "parts"),
        ({"parts": ["sha256:a"]}, "parts"),
        ({"parts": [{}]}, "digest"),
    ],
)
def test_an_unusable_field_is_named(wrong: dict[str, Any], key: str) -> None:
    with pytest.raises(UnexpectedAnswerError, match=f"no usable field {key}"):
        decode(Answer, {**WHOLE, **wrong})


def test_an_image_needs_only_the_fields_of_the_contract() -> None:
    """The fields that the contract's example has not may be missing, in the list and for one image."""
    document = {
        "registryHost": "harbor.example.com",
        "repo": "ai/pytorch",
        "imageTag": "2.0",
        "createdTime": "2025-01-15T10:00:00.000Z",
        "userName": "admin",
        "status": "ready",
        "id": 123,
        "size": 5368709120,
    }
    image = decode(Image, document)
    assert (image.reference, image.digest, image.platforms) == ("harbor.example.com/ai/pytorch:2.0", "", ())
    full = decode(FullImage, {**document, "import": {"name": "x-1", "state": "ready"}})
    assert (full.import_name, full.state, full.source_digest, full.referrers) == ("x-1", "ready", None, 0)
    assert full.raw["import"] == {"name": "x-1", "state": "ready"}


@pytest.mark.parametrize(("answer", "allowed_by"), [({"allowedBy": "team-a"}, "team-a"), ({}, "")])
def test_a_plan_has_the_rule_that_allows_it(answer: dict[str, str], allowed_by: str) -> None:
    """It stands beside the plan in the API's answer; an API of an older release does not send it."""
    count = {"total": 0, "inTarget": 0, "mountable": 0, "toMove": 0}
    sizes = {"bytesTotal": 0, "bytesInTarget": 0, "bytesMountable": 0, "bytesToMove": 0}
    names = {"source": "a", "sourceDigest": "sha256:a", "target": "b"}
    document = {"message": "Nothing was done.", "plan": {**names, **sizes, "blobs": count, "manifests": count}}
    assert ImportPlan.of(document | answer).allowed_by == allowed_by
