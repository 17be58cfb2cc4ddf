"""Names of imports."""

import re

import pytest

from api_service.imports.name import MAX_LENGTH, is_import_name, new_import_name


@pytest.mark.parametrize(
    ("repository", "tag", "slug"),
    [
        ("imports/docker.io/library/alpine", "3.20", "alpine-3.20"),
        ("imports/app", "Release_1", "app-release-1"),
        ("imports/app", "_", "app"),
        ("imports/" + 200 * "a", "1", 52 * "a"),
    ],
)
def test_a_name_shows_repository_and_tag(repository: str, tag: str, slug: str) -> None:
    """It has the repository's last part, the tag and ten random characters, within the limit of a DNS label."""
    name = new_import_name(repository, tag)
    assert re.fullmatch(rf"{re.escape(slug)}-[a-z2-9]{{10}}", name)
    assert len(name) <= MAX_LENGTH
    assert is_import_name(name)


def test_names_do_not_repeat() -> None:
    assert len({new_import_name("a/b", "1") for _ in range(1000)}) == 1000


@pytest.mark.parametrize("text", ["", "a/b", "a b", "A", "a\0", "ä", 64 * "a", "a\n"])
def test_other_texts_are_no_names(text: str) -> None:
    assert not is_import_name(text)
