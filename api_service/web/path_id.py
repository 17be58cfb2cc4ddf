"""Ids in paths."""

import re

from aiohttp import web

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.integers import MAX_INT64

_ID = re.compile(r"[0-9]{1,19}")


def read_id(request: web.Request, unknown: Code) -> int:
    """Return the id in the path; what no id can look like is answered as one that nothing has, with that code."""
    text = request.match_info["id"]
    if _ID.fullmatch(text) is None or int(text) > MAX_INT64:
        raise LongshoreError(unknown, "An id is a number; the list has it.")
    return int(text)
