"""Whether a push fits into a project, told before it begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import LongshoreError
from shared.harbor.quota import Quota, check_room, in_words

SIZES = st.integers(min_value=0, max_value=2**60)


@given(SIZES, SIZES, SIZES)
def test_what_fits_is_let_through_and_nothing_else(hard: int, used: int, size: int) -> None:
    quota = Quota(hard=hard, used=used)
    if size == 0 or used + size <= hard:
        assert check_room("p", quota, size) == max(hard - used, 0) - size
    else:
        with pytest.raises(LongshoreError) as caught:
            check_room("p", quota, size)
        assert caught.value.code == "target_quota_exceeded"


@given(SIZES)
def test_without_a_limit_everything_fits(size: int) -> None:
    assert check_room("p", Quota(hard=None, used=5), size) is None
    assert check_room("p", None, size) is None


def test_the_sentence_has_the_figures() -> None:
    quota = Quota(hard=10 * 1024**3, used=9 * 1024**3)
    with pytest.raises(LongshoreError) as caught:
        check_room("imports", quota, 3 * 1024**3)
    assert caught.value.detail == (
        "Project imports may hold 10.0 GiB and holds 9.0 GiB; 3.0 GiB more do not fit, 2.0 GiB would have to be freed."
    )
    assert caught.value.kind.status == 409


def test_a_project_above_its_limit_has_no_room() -> None:
    """An administrator may lower a quota below what is there."""
    assert Quota(hard=10, used=30).room == 0


@pytest.mark.parametrize(
    ("document", "quota"),
    [
        ({"quota": {"hard": {"storage": -1}, "used": {"storage": 5}}}, Quota(hard=None, used=5)),
        ({"quota": {"hard": {"storage": 7}, "used": {}}}, Quota(hard=7, used=0)),
        ({"quota": {"hard": {}, "used": None}}, Quota(hard=None, used=0)),
        ({"quota": None}, None),
        ({"repo_count": 3}, None),
    ],
)
def test_summaries_are_read(document: dict[str, object], quota: Quota | None) -> None:
    assert Quota.from_summary(document) == quota


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (1536 * 1024, "1.5 MiB")]
)
def test_sizes_are_written_as_people_do(size: int, words: str) -> None:
    assert in_words(size) == words
