"""The search of a test run's logs finds a secret, and fails the run."""

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.processes.server import new_key, new_password
from tests.logs.leaks import leaks

ROOT = Path(__file__).parent.parent.parent
SECONDS = 60

# Each of these tests logs a secret, each to another place.
RUN = """
from deploy.local.processes.scratch import Scratch

SECRET = {secret!r}


def test_a_process_says_too_much():
    with Scratch() as scratch:
        scratch.run("talkative", ["/bin/echo", "first line\\nurl=amqp://longshore:" + SECRET + "@host/"], seconds=20)


def test_a_service_within_the_test_says_too_much():
    print("token=" + SECRET)


def test_nothing_is_said():
    print("quiet")
"""


def tokens() -> dict[str, str]:
    password = new_password()
    basic = base64.b64encode(f"puller:{password}".encode()).decode()
    return {
        "a password": f"postgresql://longshore:{password}@127.0.0.1/db",
        "a password in base64": f'auth="{basic}"',
        "an encryption key": f"SECRET_KEYS={new_key()}",
        "an API token": f"token lsh_{43 * 'x'} refused",
        "a JWT": "got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjF9.c2lnbmF0dXJlLW9mLWl0",
        "an Authorization header": "Authorization: Bearer abcdefghijklmnopqrstuvwxyz",
    }


@pytest.mark.parametrize("kind", tokens())
def test_every_kind_of_secret_is_seen_and_not_repeated(kind: str) -> None:
    line = tokens()[kind]
    found = [leak for leak in leaks("api.log", ["fine", line]) if leak.kind == kind]
    assert [leak.where for leak in found] == ["api.log:2"]
    assert line not in str(found[0])


@pytest.mark.parametrize("user", ["a", "ab", "abc"])
def test_a_password_is_seen_however_it_falls_into_base64(user: str) -> None:
    encoded = base64.b64encode(f"{user}:{new_password()}!".encode()).decode()
    assert [leak.kind for leak in leaks("x", [encoded])] == ["a password in base64"]


@pytest.mark.parametrize(
    "line",
    [
        'WWW-Authenticate: Basic realm="source"',
        "Bearer tokens are fetched once",
        '{"event": "request", "request_id": "0123456789abcdef0123456789abcdef", "user": "demo"}',
    ],
)
def test_ordinary_lines_are_left_alone(line: str) -> None:
    assert not list(leaks("x", [line]))


@pytest.mark.parametrize("jobs", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_a_run_with_a_secret_in_its_logs_fails(tmp_path: Path, jobs: tuple[str, ...]) -> None:
    """Every test in the run passes; the report names the places, in a process's log and in a test's own."""
    secret = new_password()
    done = _run_tests(tmp_path, RUN.format(secret=secret), *jobs)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert "3 passed" in done.stdout
    assert "talkative.log:2: a password after 'url=amqp://longshore:'" in done.stdout
    assert "test_a_service_within_the_test_says_too_much [Captured stdout call]:1: a password" in done.stdout
    assert secret not in done.stdout


def test_a_run_without_one_passes(tmp_path: Path) -> None:
    done = _run_tests(tmp_path, RUN.format(secret="nothing"))
    assert done.returncode == 0, done.stdout
    assert "secrets in logs" not in done.stdout


def _run_tests(folder: Path, text: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run tests that have the suite's own look through their logs."""
    (folder / "conftest.py").write_text(
        "from tests.logs.plugin import (\n"
        "    pytest_configure, pytest_runtest_logreport, pytest_sessionfinish, pytest_terminal_summary\n)\n"
    )
    (folder / "test_talk.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    return subprocess.run(
        [*command, "-o", f"pythonpath={ROOT}", *options, str(folder)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        cwd=folder,
    )
