"""The decision about a tag after a PUT whose end is unknown."""

import pytest

from api_service.images.late_writes.decide import Decision, KnownImage, Point, Step, decide_companion, decide_image
from shared.model.states import ImageStatus

READY, FAILED, IMPORTING = ImageStatus.READY, ImageStatus.FAILED, ImageStatus.IMPORTING
OURS, LATE, THEIRS = "sha256:ours", "sha256:late", "sha256:theirs"


def known(status: ImageStatus, digest: str | None = OURS) -> KnownImage:
    return KnownImage(status=status, digest=digest)


@pytest.mark.parametrize(
    ("image", "found", "decision"),
    [
        (known(READY), OURS, Step.KEEP),
        (known(READY), LATE, Point(OURS)),
        (known(READY), THEIRS, Step.KEEP),
        (known(READY), None, Step.KEEP),
        (known(FAILED), OURS, Step.HEAL),
        (known(FAILED), LATE, Point(OURS)),
        (known(FAILED), THEIRS, Step.KEEP),
        (known(FAILED), None, Step.KEEP),
        (known(FAILED, None), LATE, Step.REMOVE),
        (known(FAILED, None), THEIRS, Step.KEEP),
        (known(FAILED, None), None, Step.KEEP),
        (known(IMPORTING), LATE, Step.WAIT),
        (known(IMPORTING), OURS, Step.WAIT),
        (None, LATE, Step.REMOVE),
        (None, THEIRS, Step.KEEP),
        (None, None, Step.KEEP),
    ],
)
def test_an_images_tag(image: KnownImage | None, found: str | None, decision: Decision) -> None:
    assert decide_image(image, found, {LATE}) == decision


def test_a_late_digest_that_the_image_has_is_right() -> None:
    """The worker's answer was lost, and another attempt has made the image ready as the same digest."""
    assert decide_image(known(READY, LATE), LATE, {LATE}) == Step.KEEP
    assert decide_image(known(FAILED, LATE), LATE, {LATE}) == Step.HEAL


@pytest.mark.parametrize(
    ("found", "confirmed", "subject_exists", "decision"),
    [
        (LATE, OURS, True, Point(OURS)),
        (LATE, LATE, True, Step.KEEP),
        (LATE, None, True, Step.KEEP),
        (LATE, None, False, Step.REMOVE),
        (LATE, OURS, False, Step.REMOVE),
        (THEIRS, OURS, True, Step.KEEP),
        (THEIRS, OURS, False, Step.KEEP),
        (None, OURS, True, Step.KEEP),
    ],
)
def test_a_tag_of_referrers(found: str | None, confirmed: str | None, subject_exists: bool, decision: Decision) -> None:
    assert decide_companion(found, {LATE}, confirmed=confirmed, subject_exists=subject_exists) == decision
