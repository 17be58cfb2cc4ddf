"""docs/cli.md describes every command, option and exit status; its recording can be played."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from longshore_client.cli import longshore
from longshore_client.commands.exit_codes import ExitCode

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "cli.md").read_text()


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield f"{before}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")


COMMANDS = dict(commands(longshore))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_document(name: str) -> None:
    """Each command, and each option by one of its names."""
    *_, last = name.split()
    assert last in TEXT
    for option in COMMANDS[name].params:
        if isinstance(option, click.Option):
            assert any(spelled in TEXT for spelled in (*option.opts, *option.secondary_opts)), option.opts


def test_every_exit_status_is_in_the_document() -> None:
    for code in ExitCode:
        assert f"| {code.value} | " in TEXT


def test_the_recording_is_complete() -> None:
    """Asciinema's second format: a header, then events in order of time; no token is in it."""
    header, *lines = (DOCS / "cli.cast").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert json.loads(header)["version"] == 2
    assert [at for at, *_ in events] == sorted(at for at, *_ in events)
    shown = "".join(text for _, kind, text in events if kind == "o")
    assert "Left alone; the import goes on." in shown
    assert "lsh_" not in shown
