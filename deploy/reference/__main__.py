"""`make docs`: update the reference pages from the code; `--check` only reports whether they are up to date."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import api_service.settings
import import_worker.settings
from deploy.reference.errors import error_facts
from deploy.reference.page import PageError, entries, filled
from deploy.reference.settings import setting_facts

DOCS = Path(__file__).resolve().parents[2] / "docs"
SERVICES = {
    "API": api_service.settings.settings_from,
    "worker": import_worker.settings.settings_from,
    "`longshore-api migrate`": api_service.settings.migration_settings_from,
}

PAGES: Mapping[str, Callable[[], Mapping[str, Sequence[str]]]] = {
    "configuration.md": lambda: setting_facts(SERVICES),
    "troubleshooting.md": error_facts,
}


def stale(*, write: bool) -> list[str]:
    """Return the problems of the pages, one line each; with `write`, update the generated parts first."""
    wrong = []
    for name, facts in PAGES.items():
        path = DOCS / name
        page = path.read_text()
        try:
            fresh = filled(page, facts())
        except PageError as error:
            wrong.append(f"{name}: {error}")
            continue
        if write:
            path.write_text(fresh)
        elif fresh != page:
            wrong.append(f"{name}: differs from the code; `make docs` updates it")
        wrong += [f"{name}: {entry} has no text" for entry, text in entries(fresh).items() if not text]
    return wrong


def main() -> int:
    """Write or check the pages, and print the problems."""
    parser = argparse.ArgumentParser(prog="python -m deploy.reference", description=__doc__)
    parser.add_argument("--check", action="store_true")
    wrong = stale(write=not parser.parse_args().check)
    sys.stdout.write("\n".join([*wrong, ""]) if wrong else "The reference pages are up to date.\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
