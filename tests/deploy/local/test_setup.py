"""setup.sh: which interpreter it uses, how it waits for apt, and when it installs Python packages again."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
OLD_PYTHON = """#!/bin/sh
case $1 in
    -V) echo Python 3.10.12 ;;
    *) exit 1 ;;
esac
"""
# Another package manager holds the lock of the package lists at the first attempt.
BUSY_APT = """#!/bin/sh
echo "$@" >> "$CALLS"
case "$*" in
    *update)
        [ "$(grep -c update "$CALLS")" -gt 1 ] && exit
        echo "E: Could not get lock /var/lib/apt/lists/lock"
        exit 100
        ;;
esac
"""
# Replaces the steps that would install something, and prints the requirements that they would install.
RECORDED = 'create_venv() { mkdir -p .venv; }; install_requirements() { echo "$*"; }; choose_python'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that has the script, the locks, and an empty folder for programs that come first in PATH."""
    locks = ("requirements.txt", "requirements-dev.txt", "requirements-build.txt")
    for name in ("deploy/local/setup.sh", "pyproject.toml", "longshore_client/pyproject.toml", *locks):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    (tmp_path / "bin").mkdir()
    return tmp_path


def put_program(checkout: Path, name: str, text: str) -> None:
    path = checkout / "bin" / name
    path.write_text(text)
    path.chmod(0o755)


def run(checkout: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run commands after the functions of setup.sh are defined."""
    own = {"PATH": f"{checkout / 'bin'}:{os.environ['PATH']}", "CALLS": str(checkout / "calls"), **environment}
    return subprocess.run(
        ["bash", "-c", f". deploy/local/setup.sh\n{script}"],
        cwd=checkout,
        env={name: value for name, value in os.environ.items() if name != "PYTHON"} | own,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_old_python_is_refused_with_an_instruction(checkout: Path) -> None:
    put_program(checkout, "python3", OLD_PYTHON)
    done = run(checkout, "choose_python")
    assert done.returncode == 1
    assert "python3 is Python 3.10.12, which is too old. Install Python 3.11 or later" in done.stderr
    assert "make PYTHON=/usr/bin/python3.11 demo" in done.stderr


def test_python_chooses_the_interpreter(checkout: Path) -> None:
    """The variable counts before python3 on PATH; a name that does not exist is an error."""
    put_program(checkout, "python3", OLD_PYTHON)
    assert run(checkout, 'choose_python; echo "$python"', PYTHON=sys.executable).stdout == f"{sys.executable}\n"
    assert "python3.99 is not installed" in run(checkout, "choose_python", PYTHON="python3.99").stderr


def test_apt_waits_for_another_package_manager(checkout: Path) -> None:
    """`apt-get update` is retried, and dpkg's lock has a timeout."""
    put_program(checkout, "apt-get", BUSY_APT)
    script = 'as_root() { "$@"; }; sleep() { :; }; update_package_lists && apt_get -y install postgresql'
    done = run(checkout, script)
    assert done.returncode == 0, done.stderr
    waiting = "-q -o DPkg::Lock::Timeout=300"
    calls = (checkout / "calls").read_text().splitlines()
    assert calls == [f"{waiting} update", f"{waiting} update", f"{waiting} -y install postgresql"]


def test_another_error_of_apt_is_not_retried(checkout: Path) -> None:
    put_program(checkout, "apt-get", '#!/bin/sh\necho "$@" >> "$CALLS"\necho "E: no network"\nexit 100\n')
    done = run(checkout, 'as_root() { "$@"; }; update_package_lists')
    assert (done.returncode, done.stdout) == (1, "E: no network\n")
    assert len((checkout / "calls").read_text().splitlines()) == 1


def installed(checkout: Path, *modes: str) -> list[str]:
    """Set up in these modes, one after the other; return what was installed."""
    script = "\n".join(f"up_to_date {mode} || make_environment {mode}" for mode in modes)
    done = run(checkout, f"{RECORDED}\n{script}", PYTHON=sys.executable)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_each_mode_installs_what_it_lacks(checkout: Path) -> None:
    """The stack needs no packages of the tests; the full mode contains the stack's."""
    stack, full = "requirements.txt requirements-build.txt", "requirements-dev.txt"
    assert installed(checkout, "stack", "stack", "full", "full", "stack") == [stack, full]


def test_a_changed_lock_makes_both_modes_install_again(checkout: Path) -> None:
    """This also holds if the lock changes back: the other mode has replaced versions meanwhile."""
    lock = checkout / "requirements.txt"
    before = lock.read_text()
    assert installed(checkout, "full") == ["requirements-dev.txt"]
    lock.write_text(f"{before}# Another version.\n")
    assert installed(checkout, "stack") == ["requirements.txt requirements-build.txt"]
    lock.write_text(before)
    assert installed(checkout, "full", "stack") == ["requirements-dev.txt"]


def test_an_interrupted_installation_is_repeated(checkout: Path) -> None:
    assert installed(checkout, "stack")
    (checkout / "requirements.txt").write_text("# Another version.\n")
    failing = "install_requirements() { return 1; }; make_environment stack"
    assert run(checkout, f"{RECORDED}\n{failing}", PYTHON=sys.executable).returncode == 1
    assert installed(checkout, "full", "stack") == ["requirements-dev.txt"]
