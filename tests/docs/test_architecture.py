"""ARCHITECTURE.md names files, packages and tests: each of them exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "ARCHITECTURE.md").read_text()
# `package/file.py`, also without its folder where the sentence has named it before.
FILES = sorted(set(re.findall(r"`([a-z_/]+\.py)`", TEXT)))
TESTS = sorted(set(re.findall(r"`(?:([a-z_/]+\.py)::)?(test_[a-z_]+)`", TEXT)))


@pytest.mark.parametrize("name", FILES)
def test_every_file_that_it_names_exists(name: str) -> None:
    packages = ("api_service", "import_worker", "shared", "longshore_client", "deploy", "tests")
    found = [path for package in packages for path in (ROOT / package).rglob(Path(name).name)]
    assert any(path.as_posix().endswith(f"/{name}") for path in found), f"there is no {name}"


@pytest.mark.parametrize(("file", "test"), TESTS)
def test_every_test_that_it_names_exists(file: str, test: str) -> None:
    """A test without a file is one of the import rule's."""
    path = ROOT / "tests" / (file or "test_import_rule.py")
    assert path.is_file(), f"there is no tests/{file}"
    assert f"def {test}(" in path.read_text()


def test_every_package_has_a_line_in_the_code_map() -> None:
    """A new package of a service or of `shared` needs a line that says what it holds."""
    code_map = TEXT.partition("## Code map")[2].partition("\n## ")[0]
    for package in ("api_service", "import_worker", "shared"):
        for folder in (ROOT / package).iterdir():
            if (folder / "__init__.py").is_file():
                assert re.search(rf"`(?:{package}/)?{folder.name}`", code_map), f"{package}/{folder.name}"
