"""A project's quota, and the error that names its figures."""

import pytest

from shared.errors.error import LongshoreError
from shared.target.project_quota import ProjectQuota, readable_size

KIB = 1024


def test_quota_says_in_figures_what_does_not_fit() -> None:
    """The message gives the quota, its use, and the bytes to free."""
    quota = ProjectQuota(project="small", limit=64 * KIB, used=60 * KIB)
    quota.check_fits(4 * KIB)
    with pytest.raises(LongshoreError) as caught:
        quota.check_fits(6 * KIB)
    assert caught.value.code == "target_quota_exceeded"
    assert caught.value.detail == (
        "Project small may hold 64.0 KiB and holds 60.0 KiB; 6.0 KiB more do not fit, 2.0 KiB would have to be freed."
    )
    assert ProjectQuota(project="small", limit=1, used=2).free == 0


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (1536 * 1024, "1.5 MiB")]
)
def test_sizes_are_written_in_the_largest_fitting_unit(size: int, words: str) -> None:
    assert readable_size(size) == words
