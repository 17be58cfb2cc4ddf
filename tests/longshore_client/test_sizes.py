"""Sizes: read as people write them, and printed so that they can be read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore_client.terminal.sizes import MAX_SIZE, exact_size, parse_size


@pytest.mark.parametrize(
    ("text", "count", "printed"),
    [
        ("40GB", 40 * 10**9, "40 GB"),
        ("40 gb", 40 * 10**9, "40 GB"),
        ("40GiB", 40 * 2**30, "40 GiB"),
        ("1.5TB", 1_500 * 10**9, "1.5 TB"),
        ("1500GB", 1_500 * 10**9, "1.5 TB"),
        ("0.5GiB", 2**29, "512 MiB"),
        ("1000000", 10**6, "1 MB"),
        ("1048576", 2**20, "1 MiB"),
        ("12345678", 12_345_678, "12345678 bytes"),
        ("7 bytes", 7, "7 bytes"),
    ],
)
def test_a_size_is_read_and_printed(text: str, count: int, printed: str) -> None:
    assert (parse_size(text), exact_size(count)) == (count, printed)


@given(st.integers(min_value=0, max_value=MAX_SIZE))
def test_every_printed_size_can_be_read_back(count: int) -> None:
    assert parse_size(exact_size(count)) == count


@given(st.integers(1, 999), st.sampled_from(["kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"]))
def test_a_size_with_a_unit_keeps_its_value(figure: int, unit: str) -> None:
    count = parse_size(f"{figure}{unit}")
    assert parse_size(exact_size(count)) == count
    assert "bytes" not in exact_size(count)


@pytest.mark.parametrize(
    "text", ["", "GB", "-1GB", "1e9", "4XB", "1.5", "0.0001kB", "99999PB", "1GB 2", "\uff11GB", "1,5GB"]
)
def test_a_text_that_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"size|bytes|large"):
        parse_size(text)
