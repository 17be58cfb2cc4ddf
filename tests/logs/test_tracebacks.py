"""The log line of an exception."""

import subprocess
import sys

import pytest

from deploy.local.processes.server import new_password

SECONDS = 60
SCRIPT = """
import logging, structlog, sys
from shared.runtime.logs import set_up_logs

set_up_logs(level="INFO", style={style!r})

def fail(password):
    raise RuntimeError("the reason")

for log in (structlog.get_logger("ours"), logging.getLogger("a library's")):
    try:
        fail("".join(map(chr, {codes!r})))
    except RuntimeError:
        log.exception("failed")
"""


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_traceback_has_no_variables(style: str) -> None:
    """They contain passwords; the line still shows where the error happened, and why."""
    secret = new_password()
    script = SCRIPT.format(style=style, codes=[ord(letter) for letter in secret])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=SECONDS, check=True)
    assert done.stderr.count("the reason") >= 2
    assert "fail" in done.stderr
    assert secret not in done.stderr
