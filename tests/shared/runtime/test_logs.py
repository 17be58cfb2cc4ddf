"""The log: an invalid request's text, which aiohttp quotes, is not in it."""

import subprocess
import sys

PROGRAM = """
import logging
from aiohttp.http_exceptions import BadHttpMessage
from shared.runtime.logs import set_up_logs

set_up_logs(level="INFO", style="json")
logger = logging.getLogger("aiohttp.server")
for error in (BadHttpMessage("Authorization: Bearer a-token"), ValueError("of our own")):
    try:
        raise error
    except Exception:
        logger.exception("Error handling request from %s", "192.0.2.1")
"""


def test_an_invalid_requests_text_is_left_out_and_other_failures_are_shown() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    invalid, other = done.stderr.splitlines()
    assert "Invalid HTTP request from 192.0.2.1: BadHttpMessage" in invalid
    assert "a-token" not in invalid
    assert "of our own" in other
