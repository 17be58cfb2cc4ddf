"""An instance that stops first reports itself unready, and then stops listening."""

import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from deploy.local.processes.server import new_key
from tests.api_service.commands.test_cli import COMMAND, ROOT, wait_for

# Longer than any test needs; each test ends the process earlier. Seconds.
DRAIN = "60"
DEADLINE = 30


@pytest.fixture
def port(unused_tcp_port: int) -> int:
    return unused_tcp_port


@pytest.fixture
def serving(database_url: str, port: int) -> Iterator["subprocess.Popen[str]"]:
    """A running instance."""
    environment = {
        "DATABASE_URL": database_url,
        "AMQP_URL": "amqp://guest:guest@127.0.0.1:1/",
        "TARGET_URL": "http://127.0.0.1:1",
        "SECRET_KEYS": new_key(),
        "API_PORT": str(port),
        "DRAIN_SECONDS": DRAIN,
    }
    process = subprocess.Popen(
        [*COMMAND, "serve"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/healthz")
        yield process
    finally:
        process.kill()
        process.wait()


def ask(connection: http.client.HTTPConnection, path: str) -> tuple[int, str | None, str]:
    """Return the answer's status, its Connection header, and `status` of its body."""
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.headers["Connection"], json.loads(answer.read())["status"]


def test_a_stopping_instance_answers_while_others_learn_of_it(serving: "subprocess.Popen[str]", port: int) -> None:
    """It is unready at once; each connection, old or new, ends with its next answer."""
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    assert ask(kept, "/readyz")[1:] == (None, "degraded")
    serving.send_signal(signal.SIGTERM)
    limit = time.monotonic() + DEADLINE
    while (said := ask(http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE), "/readyz"))[2] != "stopping":
        assert time.monotonic() < limit
    assert said == (503, "close", "stopping")
    assert ask(kept, "/healthz") == (200, "close", "ok")
    assert ask(http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE), "/healthz") == (200, "close", "ok")
    assert serving.poll() is None


@pytest.mark.parametrize("signals", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT,)], ids=["twice", "interrupt"])
def test_a_second_interrupt_does_not_wait(
    serving: "subprocess.Popen[str]", signals: tuple[signal.Signals, ...]
) -> None:
    """A second SIGTERM, or a user's Ctrl-C, ends the process at once and in order."""
    for number in signals:
        serving.send_signal(number)
        time.sleep(0.5)  # Two equal signals at the same time would count as one.
    assert serving.wait(DEADLINE) == 0
