"""Everything that is started in a scratch folder ends with it, however its owner ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.processes import scratch as scratch_module
from deploy.local.stack import LocalStackError, Scratch

ROOT = Path(__file__).resolve().parents[3]

# Seconds for a guardian to clean up: it gives processes five to end after the stop signal.
CLEAR_SECONDS = 20.0


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A separate base folder, without the scratch folders of other stacks."""
    monkeypatch.setenv(scratch_module.BASE_VARIABLE, str(tmp_path / "base"))
    return tmp_path / "base"


@pytest.fixture
def owner() -> Iterator[subprocess.Popen[str]]:
    """A process that owns a scratch folder with three processes in it."""
    command = [sys.executable, "-m", "tests.deploy.local.owner"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def read_facts(owner: subprocess.Popen[str]) -> dict[str, Any]:
    assert owner.stdout is not None
    facts: dict[str, Any] = json.loads(owner.stdout.readline())
    assert all(runs(pid) for pid in facts["pids"])
    return facts


def runs(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def eventually(condition: Callable[[], bool]) -> bool:
    limit = time.monotonic() + CLEAR_SECONDS
    while not condition() and time.monotonic() < limit:
        time.sleep(0.05)
    return condition()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_the_owner_is_killed(owner: subprocess.Popen[str], number: signal.Signals) -> None:
    """A guardian outlives its owner only until it has cleaned up."""
    facts = read_facts(owner)
    owner.send_signal(number)
    assert eventually(lambda: not any(runs(pid) for pid in [*facts["pids"], facts["guardian"]]))
    assert not Path(facts["folder"]).exists()


def test_the_next_start_clears_what_a_killed_guardian_left(owner: subprocess.Popen[str]) -> None:
    """A free lock shows that the stack of a folder is dead."""
    facts = read_facts(owner)
    os.kill(facts["guardian"], signal.SIGKILL)
    owner.kill()
    assert eventually(lambda: not runs(facts["guardian"]))
    assert Path(facts["folder"]).exists()
    with Scratch():
        assert not any(runs(pid) for pid in facts["pids"])
        assert not Path(facts["folder"]).exists()


def test_a_living_stack_is_left_alone_by_others(owner: subprocess.Popen[str]) -> None:
    """Stacks run side by side."""
    facts = read_facts(owner)
    with Scratch() as other:
        assert str(other.folder) != facts["folder"]
    assert all(runs(pid) for pid in facts["pids"])
    assert Path(facts["folder"]).exists()


def test_a_frozen_process_ends_too() -> None:
    """SIGSTOP does not protect a process from the clean-up."""
    with Scratch() as scratch:
        process = scratch.spawn("frozen", ["/bin/sleep", "600"])
        process.send(signal.SIGSTOP)
        assert process.alive
    assert not runs(process.pid)


def test_a_process_has_a_clean_environment_and_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers do not inherit the variables of the caller's shell."""
    monkeypatch.setenv("PGPASSWORD", "not for them")
    with Scratch() as scratch:
        scratch.run("env", ["/usr/bin/env"], seconds=10, env={"GIVEN": "yes"})
        names = {line.partition("=")[0] for line in (scratch.folder / "env.log").read_text().splitlines()}
    assert names - set(scratch_module.COVERAGE_VARIABLES) == {"PATH", "LANG", "HOME", "GIVEN", "LONGSHORE_SCRATCH"}


def test_a_failing_program_shows_its_words() -> None:
    """The error contains the end of the log, whose folder is removed."""
    with Scratch() as scratch, pytest.raises(LocalStackError, match=r"(?s)status 3.*no such harbour"):
        scratch.run("broken", ["/bin/sh", "-c", "echo no such harbour; exit 3"], seconds=10)


def test_a_program_that_hangs_is_killed_and_named() -> None:
    """A program that exceeds its time is killed, and the error names it."""
    with Scratch() as scratch:
        with pytest.raises(LocalStackError, match=r"slow .* still runs"):
            scratch.run("slow", ["/bin/sleep", "600"], seconds=0.1)
        assert scratch.spawn("next", ["/bin/true"]).wait(10) == 0


def test_a_missing_program_is_an_error_of_ours() -> None:
    """The guardian survives a request that fails."""
    with Scratch() as scratch:
        with pytest.raises(LocalStackError, match="FileNotFoundError"):
            scratch.spawn("none", ["/no/such/program"])
        assert scratch.spawn("next", ["/bin/true"]).wait(10) == 0


def test_another_users_folder_is_not_used(base: Path) -> None:
    """In a folder that everyone can write to, another user may have created the name first."""
    real = base.with_name("real")
    real.mkdir()
    base.symlink_to(real)
    with pytest.raises(LocalStackError, match="belongs to another user"):
        Scratch().__enter__()
