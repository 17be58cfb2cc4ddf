"""The commands in the documents work and print the documented output."""

import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from deploy.local.commands.keeper import environment
from deploy.local.images import seed
from deploy.local.paths import CACHE
from deploy.local.permissive_rule import FIRST_RULE_ALONE
from deploy.local.stack import Remote, Scratch, Stack
from tests.docs.commands import ROOT, Command, Outcome, check, commands, run

# A stack's start and a few imports, on a busy machine.
SECONDS = 240
LONG = pytest.mark.timeout(SECONDS + 60)
# The documents whose commands run on a started stack; each starts with an empty database.
RULES = "docs/guide-import-rules.md"
GUIDES = ("docs/guide-api.md", "docs/guide-command-line.md", RULES)
# One stack for all of them: pytest-xdist gives a group to one process.
TOGETHER = pytest.mark.xdist_group("documents")
# Deletes all images and stored accounts.
FORGET = "TRUNCATE images, source_registries RESTART IDENTITY CASCADE"


@pytest.fixture
def shell(tmp_path: Path) -> Mapping[str, str]:
    """The environment of a fresh login."""
    # Unbuffered: both outputs are in the order in which a terminal shows them.
    home = {"HOME": str(tmp_path), "LANG": "C.UTF-8", "TZ": "UTC"}
    return {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **home}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """The stack of `make up`, in its own scratch folder: other tests of this process use the same server names."""
    with Scratch() as scratch, Stack(scratch, fsync=False) as stack:
        Remote.of(stack.source).push(seed.REPOSITORY, seed.TAG, seed.demo_image(CACHE))
        yield stack


@LONG
def test_getting_started_can_be_followed(tmp_path: Path, shell: Mapping[str, str]) -> None:
    """All commands from `make up` to `make down`, with another folder than the checkout's `.run`."""
    folder = tmp_path / "run"
    document = (ROOT / "docs/getting-started.md").read_text().replace(".run/", f"{folder}/")
    # The set-up is skipped: this test runs in the installed environment.
    before = 'make() { command make --no-print-directory --old-file setup-stack "$@"; }'
    asked = commands(document)
    assert [command.text for command in (asked[0], asked[-1])] == ["make up", "make down"]
    try:
        check(run(asked, {**shell, "LONGSHORE_RUN_FOLDER": str(folder)}, before=before, seconds=SECONDS))
    finally:
        down = [Command(text="make down", printed="")]
        run(down, {**shell, "LONGSHORE_RUN_FOLDER": str(folder)}, before=before, seconds=SECONDS)


@TOGETHER
@LONG
@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_can_be_followed(name: str, stack: Stack, shell: Mapping[str, str], tmp_path: Path) -> None:
    """The stack is like that of `make up`, and the folder is empty."""
    stack.postgres.execute(FORGET, database="longshore")
    if name == RULES:
        stack.postgres.execute(FIRST_RULE_ALONE, database="longshore")
    asked = commands((ROOT / name).read_text())
    assert asked
    before = f"{environment(stack)}\ncd {shlex.quote(str(tmp_path))}"
    check(run(asked, shell, before=before, seconds=SECONDS))


DOCUMENT = """
```console run
$ echo 12.5 MB && \\
    echo e275ce8c0548
99 MB
1ef383797ad9
$ echo 2 min ago, after 1 min 05 s
3 s ago, after 0.5 s
$ printf 'a\\nb\\nc and d\\n'
a
…
c … d
$ false
$ echo $?
1
```

```console
$ not run
```
"""


def test_what_is_printed_is_compared_but_for_figures(shell: Mapping[str, str]) -> None:
    """Numbers and digests may differ; words may not."""
    outcomes = run(commands(DOCUMENT), shell, seconds=10)
    assert [outcome.status for outcome in outcomes] == [0, 0, 0, 1, 0]
    check(outcomes)


@pytest.mark.parametrize(
    ("text", "printed", "status"),
    [("echo 5 MB", "5 GB", 0), ("echo a; echo b", "a", 0), ("echo b", "a\nb", 0), ("false", "", 1)],
)
def test_what_is_not_as_the_document_says_is_found(text: str, printed: str, status: int) -> None:
    """Another word, a line too many, a line too few, a status."""
    outcome = Outcome(command=Command(text=text, printed=printed), printed=text_of(text), status=status)
    with pytest.raises(AssertionError):
        check([outcome])


def text_of(command: str) -> str:
    return command.replace("echo ", "").replace("; ", "\n") if command != "false" else ""
