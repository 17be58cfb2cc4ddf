"""Pictures in the documents are small and contain no secret."""

import re

import pytest

from tests.docs.commands import ROOT

# The limit for one picture, for pages with a few pictures on a slow line. Bytes.
MAX_SIZE = 300_000
PICTURES = {path.name: path for kind in ("svg", "png") for path in (ROOT / "docs").rglob(f"*.{kind}")}
# Names of XML namespaces, which are not fetched.
_VOCABULARY = re.compile(r'xmlns(?::\w+)?="[^"]*"')


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_small(name: str) -> None:
    assert PICTURES[name].stat().st_size < MAX_SIZE


def test_the_recorded_session_stands_by_itself() -> None:
    """No script, nothing from another host, no token."""
    picture = _VOCABULARY.sub("", PICTURES["cli.svg"].read_text())
    assert "longshore" in picture
    assert not re.search(r"<script|(?:href|src)=\"(?!#)|url\((?!#)|@import", picture)
    assert "lsh_" not in picture
