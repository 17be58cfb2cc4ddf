"""Longshore as a client sees it: POST until ready."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from benchmarks.places import Places
from benchmarks.processes import DEADLINE, Usage, cpu_seconds, peak_rss, reset_peak_rss
from benchmarks.scenarios import Job
from deploy.local.processes.server import LOOPBACK
from deploy.local.stack import Stack

# Seconds between two polls of an import: a share of its duration so far, so that polling costs little accuracy and
# little of the API's time.
POLL_SHARE = 0.03
SHORTEST_POLL = 0.01
LONGEST_POLL = 0.1


class ImportFailedError(RuntimeError):
    """An import did not become ready, so there is nothing to compare."""


@dataclass(frozen=True)
class Longshore:
    """The API and its workers. Their tables, including the blob ledger, are emptied before each run."""

    stack: Stack
    name: str = "longshore"
    version: str = field(default_factory=lambda: metadata.version("longshore"))

    def forget(self) -> None:
        """Delete the rows of all images, imports and blobs: the target is empty again."""
        self.stack.postgres.execute("TRUNCATE images, blobs, blob_proofs CASCADE", database="longshore")

    def copy(self, places: Places, jobs: Sequence[Job], parallel: int) -> Usage:
        """Request all images, `parallel` at a time, and wait until every one is ready."""
        pids = self.pids()
        reset_peak_rss(pids)
        before = sum(map(cpu_seconds, pids))
        started = time.perf_counter()
        client = _Client(self.stack.api.port, self.stack.user_token)
        with ThreadPoolExecutor(parallel) as pool:
            images = list(pool.map(lambda job: client.start(places.request_of(job)), jobs))
        for image in images:
            client.wait_ready(image, started)
        wall = time.perf_counter() - started
        return Usage(cpu=sum(map(cpu_seconds, pids)) - before, rss=sum(map(peak_rss, pids)), wall=wall)

    def pids(self) -> list[int]:
        """Return the process ids of the API and of the running workers."""
        return [self.stack.api.pid, *(worker.pid for worker in self.stack.workers if worker.alive)]


class _Client:
    """Keeps one connection open in each thread."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._own = threading.local()

    def start(self, request: dict[str, object]) -> int:
        """Request an import and return the image's id; 0 if the target already has the image."""
        status, answer = self._ask("POST", "/api/v1/images:import", request)
        if status != http.client.OK or answer["state"] not in (1, 2):
            raise ImportFailedError(f"{request['source']}: {status} {answer}")
        return 0 if answer["state"] == 2 else int(answer["imageId"])

    def wait_ready(self, image: int, started: float) -> None:
        """Poll until the image is ready."""
        while image:
            _, details = self._ask("GET", f"/api/v1/images/{image}/importing-details")
            if details["status"] == "ready":
                return
            taken = time.perf_counter() - started
            if details["status"] != "importing" or taken > DEADLINE:
                raise ImportFailedError(f"image {image} after {taken:.0f} s: {details}")
            time.sleep(min(LONGEST_POLL, max(SHORTEST_POLL, POLL_SHARE * taken)))

    def _ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        connection: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=DEADLINE)
        connection.request(method, path, body=None if body is None else json.dumps(body), headers=self._headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
