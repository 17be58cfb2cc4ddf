"""Links between the documents are valid, and every document is linked."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.commands import ROOT

# Generated folders of this checkout.
_MADE = {".venv", ".cache", ".git", ".run", "node_modules", ".pytest_cache", "dist", "build"}
_FENCE = re.compile(r"^(```+|~~~+).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:")


def documents(folder: Path = ROOT) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name not in _MADE:
            yield from documents(path)
        elif path.suffix == ".md":
            yield path


DOCUMENTS = {str(path.relative_to(ROOT)): path for path in documents()}


def links(text: str) -> list[str]:
    """Return the targets of links, except those in code."""
    return _LINK.findall(_CODE.sub("`code`", _FENCE.sub("", text)))


@cache
def anchors(path: Path) -> frozenset[str]:
    """Return the anchors that GitHub generates for the headings."""
    found: list[str] = []
    for heading in _HEADING.findall(_FENCE.sub("", path.read_text())):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        same = sum(1 for other in found if re.fullmatch(rf"{re.escape(slug)}(-\d+)?", other))
        found.append(f"{slug}-{same}" if same else slug)
    return frozenset(found)


def broken(document: Path, text: str) -> list[str]:
    """Return the broken links of a document."""
    return [link for link in links(text) if not _ELSEWHERE.match(link) and not leads(document, link)]


def leads(document: Path, link: str) -> bool:
    name, _, anchor = unquote(link).partition("#")
    path = (document.parent / name).resolve() if name else document
    if not path.exists():
        return False
    return not anchor or (path.suffix == ".md" and anchor in anchors(path))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_somewhere(name: str) -> None:
    """Every link names an existing file and heading of this checkout; links to other hosts are not checked."""
    assert broken(DOCUMENTS[name], DOCUMENTS[name].read_text()) == []


def test_every_document_can_be_found_from_the_readme() -> None:
    """A chain of links leads from the README to every page."""
    found, following = set[Path](), [ROOT / "README.md"]
    while following:
        document = following.pop()
        found.add(document)
        near = (unquote(link).partition("#")[0] for link in links(document.read_text()) if not _ELSEWHERE.match(link))
        pages = {(document.parent / name).resolve() for name in near if name.endswith(".md")}
        following += sorted(page for page in pages - found - set(following) if page.exists())
    assert {path for path in DOCUMENTS.values() if path.parent == ROOT / "docs"} <= found


def test_what_is_broken_is_found() -> None:
    """A missing file and a missing heading are found; code that looks like a link is ignored."""
    text = (
        "[a](no-such.md) [b](README.md#no-such) ![c](docs/no.png) `[d](no)` [e](https://example.com/x) [f](README.md)"
    )
    assert broken(ROOT / "README.md", text) == ["no-such.md", "README.md#no-such", "docs/no.png"]
