"""The API's event stream of an import, read with the standard library."""

from __future__ import annotations

import http.client
import json
import time
import urllib.parse
from typing import TYPE_CHECKING, Any

from deploy.local.processes.scratch import LocalStackError

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENT = "details"
IMPORTING = "importing"

# Seconds without any line. The API sends keep-alive comments more often.
IDLE_SECONDS = 60.0

# Seconds before the next request, if the stream ended before the import.
PAUSE_SECONDS = 0.5


def follow(api: str, token: str, image_id: int, *, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield the import's details as they change, the final ones last; LocalStackError after `seconds`."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        for details in stream(api, token, image_id):
            yield details
            if details["status"] != IMPORTING:
                return
            if time.monotonic() > limit:
                break
        time.sleep(PAUSE_SECONDS)
    raise LocalStackError(f"image {image_id} is still being imported after {seconds:.0f} s")


def stream(api: str, token: str, image_id: int) -> Iterator[dict[str, Any]]:
    """Yield the events of one connection until the server ends it (HTML standard, "Server-sent events")."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(api).netloc, timeout=IDLE_SECONDS)
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    try:
        connection.request("GET", f"/api/v1/images/{image_id}/importing-details", headers=headers)
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise LocalStackError(f"importing-details: {response.status} {response.read().decode(errors='replace')}")
        yield from events(response)
    except (OSError, http.client.HTTPException) as error:
        raise LocalStackError(f"importing-details: the stream broke: {error!r}") from error
    finally:
        connection.close()


def events(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    """Yield the data of every event named `details`."""
    name, data = "", ""
    for raw in response:
        line = raw.decode().rstrip("\r\n")
        field, _, value = line.partition(":")
        if field == "event":
            name = value.strip()
        elif field == "data":
            data += value.removeprefix(" ")
        elif not line:
            if name == EVENT and data:
                yield json.loads(data)
            name, data = "", ""
