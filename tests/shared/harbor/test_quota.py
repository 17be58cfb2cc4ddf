"""What a project may hold, as Harbor writes it."""

import pytest

from shared.harbor.quota import Quota, in_words


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
