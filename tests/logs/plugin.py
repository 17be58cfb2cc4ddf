"""Looks through all that was logged during a run of the tests, and fails the run where a secret is in it.

Processes started through a Scratch write into its folder; their logs are kept until the run's end, whichever process
started them. What is logged by services that run inside a test is in what pytest has captured of it.
"""

import os
import shutil
from pathlib import Path

import pytest

from deploy.local.processes.guardian import KEEP_LOGS
from deploy.local.processes.scratch import base_folder
from tests.logs.leaks import Leak, leaks

_PREFIX = "logs-of-"
_KEPT = pytest.StashKey[Path]()
_FOUND = pytest.StashKey[list[Leak]]()
# The run's only config: reports come without one.
_here = pytest.Stash()


def _is_worker(config: pytest.Config) -> bool:
    """One of several processes of pytest-xdist; the one that leads them looks."""
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    """Ask for the logs of everything that is started from here on, in other processes, too."""
    _here[_FOUND] = []
    if not _is_worker(config):
        _here[_KEPT] = kept = _claim(base_folder())
        os.environ[KEEP_LOGS] = str(kept)


def _claim(base: Path) -> Path:
    """Make a folder that bears this process's number, and remove those of runs that were killed."""
    for folder in base.glob(f"{_PREFIX}[0-9]*"):
        if not Path("/proc", folder.name.removeprefix(_PREFIX)).exists():
            shutil.rmtree(folder, ignore_errors=True)
    folder = base / f"{_PREFIX}{os.getpid()}"
    folder.mkdir(mode=0o700)
    return folder


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Search the output and the logs of a test, its set-up and its tear-down."""
    for title, text in report.sections if report.when == "teardown" else ():
        _here[_FOUND] += leaks(f"{report.nodeid} [{title}]", text.splitlines())


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Look through the logs of processes, all of which have ended."""
    kept = _here.get(_KEPT, None)
    if kept is None or _is_worker(session.config):
        return
    for log in sorted(kept.glob("*/*.log")):
        with log.open(errors="replace") as lines:
            _here[_FOUND] += leaks(log.name, lines)
    shutil.rmtree(kept, ignore_errors=True)
    if _here[_FOUND]:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name each leak, without the secret."""
    if found := _here[_FOUND]:
        terminalreporter.section("secrets in logs", red=True)
        for leak in found:
            terminalreporter.line(str(leak))
