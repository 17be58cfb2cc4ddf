"""A project's quota as Harbor writes it."""

import pytest

from shared.harbor.projects import Quota


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
