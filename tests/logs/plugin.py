"""Searches everything that was logged during a run of the tests, and fails the run if it contains a secret.

Processes started through a Scratch write into its folder; their logs are kept until the run's end, whichever process
started them. Services that run inside a test log to the output that pytest captures.
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
# The configuration of the run, because reports do not have it.
_here = pytest.Stash()


def _is_worker(config: pytest.Config) -> bool:
    """Whether this is one of several processes of pytest-xdist; only the leading process searches."""
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    """Request the logs of all processes that are started from now on, also by other processes."""
    _here[_FOUND] = []
    if not _is_worker(config):
        _here[_KEPT] = kept = _claim(base_folder())
        os.environ[KEEP_LOGS] = str(kept)


def _claim(base: Path) -> Path:
    """Create a folder with this process's number in its name, and remove those of killed runs."""
    for folder in base.glob(f"{_PREFIX}[0-9]*"):
        if not Path("/proc", folder.name.removeprefix(_PREFIX)).exists():
            shutil.rmtree(folder, ignore_errors=True)
    folder = base / f"{_PREFIX}{os.getpid()}"
    folder.mkdir(mode=0o700)
    return folder


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Search the captured output and logs of a test, its set-up and its tear-down."""
    for title, text in report.sections if report.when == "teardown" else ():
        _here[_FOUND] += leaks(f"{report.nodeid} [{title}]", text.splitlines())


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Search the logs of the processes, all of which have ended."""
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
