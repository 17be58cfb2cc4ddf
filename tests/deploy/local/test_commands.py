"""`make up`, `make down` and `make demo`."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.local.test_scratch import eventually, runs

ROOT = Path(__file__).resolve().parents[3]

# Seconds for a stack on a busy machine, and for the first download of Debian's packages.
LONG = pytest.mark.timeout(300)


def run(command: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the local stack with the test's own run folder."""
    return subprocess.run(
        [sys.executable, "-m", f"deploy.local.commands.{command}", *arguments],
        cwd=ROOT,
        env=os.environ | {"LONGSHORE_RUN_FOLDER": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def flat(pids: dict[str, Any]) -> list[int]:
    return [*pids["workers"], *(pid for name, pid in pids.items() if name != "workers")]


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


@LONG
def test_up_leaves_a_whole_stack_running_and_down_ends_it(tmp_path: Path) -> None:
    """stack.json describes the stack; killed and frozen processes do not prevent its stop."""
    first = run("up", "--workers", "2", folder=tmp_path)
    assert first.returncode == 0, first.stdout
    stack = json.loads((tmp_path / "stack.json").read_text())
    try:
        check_description(stack)
        again = run("up", folder=tmp_path)
        assert "already" in again.stdout
        assert stack["api"] in again.stdout
        os.kill(stack["pids"]["workers"][0], signal.SIGKILL)
        for pid in (stack["pids"]["workers"][1], stack["pids"]["rabbitmq"]):
            os.kill(pid, signal.SIGSTOP)
        assert runs(stack["pids"]["api"])
    finally:
        down = run("down", folder=tmp_path)
    assert down.stdout == "Down.\n"
    assert not any(runs(pid) for pid in flat(stack["pids"]))
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def check_description(stack: dict[str, Any]) -> None:
    """Check the keys, which scripts read, and that the process ids are those of the servers."""
    assert {key: sorted(value) if isinstance(value, dict) else None for key, value in stack.items()} == {
        "api": None,
        "admin_token": None,
        "user_token": None,
        "worker_token": None,
        "source_registry": ["password", "url", "username"],
        "target_registry": ["password", "url", "username"],
        "rabbitmq": ["amqp", "management", "password", "username"],
        "database": None,
        "pids": ["api", "postgres", "rabbitmq", "source_registry", "target_registry", "workers"],
    }
    pids = stack["pids"]
    assert "longshore-api serve" in command_line(pids["api"])
    assert all("longshore-worker" in command_line(pid) for pid in pids["workers"])
    assert len(pids["workers"]) == 2
    assert "beam" in command_line(pids["rabbitmq"])
    with urllib.request.urlopen(f"{stack['api']}/readyz", timeout=30) as response:
        assert json.load(response)["status"] == "ready"


@LONG
def test_killing_the_keeper_ends_the_stack(tmp_path: Path) -> None:
    """Nothing is left that would block the next stack."""
    assert run("up", "--workers", "0", folder=tmp_path).returncode == 0
    stack = json.loads((tmp_path / "stack.json").read_text())
    os.kill(int((tmp_path / "keeper.pid").read_text()), signal.SIGKILL)
    assert eventually(lambda: not any(runs(pid) for pid in flat(stack["pids"])))
    assert run("down", folder=tmp_path).stdout == "No stack is running.\n"
    assert not (tmp_path / "stack.json").exists()


@LONG
def test_the_demo_passes(tmp_path: Path) -> None:
    """The demo imports an image, lists it and reads it back."""
    done = run("demo", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "each equal to the source's" in done.stdout
    assert "All checks passed" in done.stdout


@LONG
def test_the_demo_says_what_went_wrong(tmp_path: Path) -> None:
    """A source that does not exist makes the demo fail, with the API's message."""
    done = run("demo", "127.0.0.1:9/no/such:1.0", folder=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "POST /api/v1/images:import: 403 " in done.stdout
    assert "All checks passed" not in done.stdout


def test_up_refuses_a_number_of_workers_that_makes_no_sense(tmp_path: Path) -> None:
    """The error comes before anything is started."""
    assert run("up", "--workers", "-1", folder=tmp_path).returncode == 2
    assert list(tmp_path.iterdir()) == []
