"""The decision on a request whose target has been imported before."""

from datetime import UTC, datetime
from typing import Any

import pytest

from api_service.auth.identity import Identity
from api_service.imports.decide import Exists, Join, RequestedContent, Start, decide
from api_service.imports.source.registry import ImageInRegistry
from shared.db.images import Image
from shared.db.imports import Import
from shared.errors.error import LongshoreError
from shared.model.roles import Role
from shared.model.states import OPEN_STATES, ImageStatus, ImportState

NOW = datetime(2025, 1, 15, tzinfo=UTC)
SOURCE, OTHER = "quay.io/team/app:1.0", "quay.io/team/other:1.0"
OLD, NEW = "sha256:" + 64 * "a", "sha256:" + 64 * "b"
OWNER = Identity(user="alice", role=Role.USER)
STRANGER = Identity(user="bob", role=Role.USER)
ADMIN = Identity(user="root", role=Role.ADMIN)


def image(status: ImageStatus = ImageStatus.READY, **more: Any) -> Image:
    values: dict[str, Any] = {
        "id": 7,
        "registry_host": "harbor",
        "repository": "imports/app",
        "tag": "1.0",
        "description": "",
        "status": status,
        "source": SOURCE,
        "source_digest": OLD,
        "digest": OLD,
        "size": 1,
        "architecture": "amd64",
        "os": "linux",
        "platforms": (),
        "include_type": "full",
        "created_at": NOW,
        "created_by": "alice",
        "updated_at": NOW,
    }
    return Image(**values | more)


def import_(state: ImportState, **more: Any) -> Import:
    values: dict[str, Any] = {
        "id": 1,
        "name": "app-1.0-x",
        "image_id": 7,
        "state": state,
        "source": SOURCE,
        "source_digest": OLD,
        "platforms": (),
        "requester": OWNER.requester,
        "attempt": 1,
        "failures": 0,
        "sequence": 0,
        "due_at": NOW,
        "tagging": False,
        "bytes_done": 0,
        "bytes_total": 0,
        "progress": 0,
        "rate": 0.0,
        "idle": None,
        "age": 0.0,
        "error_code": None,
        "error_detail": None,
        "created_at": NOW,
        "started_at": None,
        "finished_at": None,
    }
    return Import(**values | more)


READY = import_(ImportState.READY)
FAILED = import_(ImportState.FAILED)


def requested(**more: Any) -> RequestedContent:
    values: dict[str, Any] = {"source": SOURCE, "digest": OLD, "platforms": (), "force": False}
    return RequestedContent(**values | more)


@pytest.mark.parametrize("by", [OWNER, STRANGER])
def test_a_ready_image_with_the_same_content_exists(by: Identity) -> None:
    assert decide(image(), READY, READY, requested(), by) == Exists(message="The image is ready; nothing was imported.")


def test_the_same_content_from_another_source_exists_too() -> None:
    """Equal digests are equal content, in every registry."""
    assert isinstance(decide(image(), READY, READY, requested(source=OTHER), STRANGER), Exists)


def test_a_moved_tag_is_reported_and_not_followed() -> None:
    decision = decide(image(), READY, READY, requested(digest=NEW), OWNER)
    assert isinstance(decision, Exists)
    assert NEW in decision.message
    assert "`force`" in decision.message


def test_a_source_too_slow_to_compare_leaves_the_image_as_it_is() -> None:
    decision = decide(
        image(), READY, READY, requested(digest=None, unresolved_reason=ImageInRegistry.unresolved_reason), OWNER
    )
    assert isinstance(decision, Exists)
    assert "too slow" in decision.message


@pytest.mark.parametrize("by", [OWNER, ADMIN])
@pytest.mark.parametrize(
    "request_",
    [requested(force=True), requested(force=True, source=OTHER, digest=NEW), requested(platforms=("linux/arm64",))],
    ids=["force", "force from another source", "other platforms"],
)
def test_owner_and_admin_may_replace_a_ready_image(request_: RequestedContent, by: Identity) -> None:
    assert decide(image(), READY, READY, request_, by) == Start()


@pytest.mark.parametrize(
    "request_", [requested(force=True), requested(platforms=("linux/arm64",))], ids=["force", "other platforms"]
)
def test_no_other_user_may_replace_a_ready_image(request_: RequestedContent) -> None:
    with pytest.raises(LongshoreError, match="belongs to alice") as caught:
        decide(image(), READY, READY, request_, STRANGER)
    assert caught.value.code == "forbidden"


def test_a_target_that_holds_another_image_is_a_conflict() -> None:
    """Even the owner cannot overwrite it by accident."""
    with pytest.raises(LongshoreError, match="holds an image from") as caught:
        decide(image(), READY, READY, requested(source=OTHER, digest=NEW), OWNER)
    assert caught.value.code == "import_conflict"


@pytest.mark.parametrize("by", [OWNER, STRANGER, ADMIN])
def test_anybody_may_try_a_failed_image_again(by: Identity) -> None:
    """It helps all users who need the image, and the owner loses nothing."""
    assert decide(image(ImageStatus.FAILED), FAILED, None, requested(), by) == Start()


def test_only_the_owner_may_point_a_failed_image_elsewhere() -> None:
    with pytest.raises(LongshoreError, match="forbidden"):
        decide(image(ImageStatus.FAILED), FAILED, None, requested(source=OTHER), STRANGER)
    assert decide(image(ImageStatus.FAILED), FAILED, None, requested(source=OTHER), OWNER) == Start()


@pytest.mark.parametrize("state", sorted(OPEN_STATES))
@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("digest", [OLD, NEW, None])
def test_an_open_import_of_the_same_source_is_joined(state: ImportState, digest: str | None, *, force: bool) -> None:
    request = requested(digest=digest, force=force)
    assert isinstance(decide(image(ImageStatus.IMPORTING), import_(state), None, request, STRANGER), Join)


def test_an_open_import_of_the_same_bytes_is_joined() -> None:
    """`app:1.0` and `app:1.0@sha256:…` are equal while the tag points to the digest."""
    request = requested(source=f"{SOURCE}@{OLD}")
    assert isinstance(decide(image(ImageStatus.IMPORTING), import_(ImportState.RUNNING), None, request, OWNER), Join)


@pytest.mark.parametrize(
    "request_",
    [requested(source=OTHER, digest=NEW), requested(source=OTHER, digest=None), requested(platforms=("linux/arm64",))],
    ids=["another source", "an unknown digest", "other platforms"],
)
def test_an_open_import_of_other_content_is_a_conflict(request_: RequestedContent) -> None:
    with pytest.raises(LongshoreError, match="import_conflict"):
        decide(image(ImageStatus.IMPORTING), import_(ImportState.QUEUED, source_digest=None), None, request_, OWNER)


@pytest.mark.parametrize(
    ("status", "state"), [(ImageStatus.IMPORTING, ImportState.RUNNING), (ImageStatus.READY, ImportState.READY)]
)
def test_a_conflict_names_the_others_source_without_its_digest(status: ImageStatus, state: ImportState) -> None:
    """The source may have needed an account; its name is in every list, its digest is for those concerned."""
    pinned = f"{SOURCE}@{OLD}"
    latest, request = import_(state, source=pinned), requested(source=OTHER, digest=NEW)
    with pytest.raises(LongshoreError, match="import_conflict") as caught:
        decide(image(status, source=pinned), latest, latest, request, STRANGER)
    assert f"from {SOURCE}" in caught.value.detail
    assert OLD not in str(caught.value)
