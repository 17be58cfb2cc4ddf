"""The floor: blobs pushed to a registry directly from files; nothing is read from a registry, checked or recorded.

It runs as a separate program: the work is JSON on standard input, the resources used are JSON on standard output.
"""

from __future__ import annotations

import http.client
import json
import resource
import ssl
import sys
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.processes import KIBIBYTE, Usage, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.places import Places
    from benchmarks.scenarios import Job

# Concurrent uploads for each image: Longshore's WORKER_LAYERS.
LANES = 4
# Bytes per read from the file, because TLS rules out sendfile(2).
CHUNK = 1 << 20


class Floor:
    """Pushes the images' distinct blobs and manifests with as little work as possible."""

    name = "floor"
    version = "sendfile(2), or write through OpenSSL"

    def forget(self) -> None:
        """Do nothing: it remembers nothing."""

    def copy(self, places: Places, jobs: Sequence[Job], parallel: int) -> Usage:
        """Upload from the source registry's files, with LANES connections for each parallel image."""
        work = json.dumps(_work(places, jobs) | {"lanes": parallel * LANES})
        return Usage(**json.loads(run([sys.executable, "-m", "benchmarks.floor"], work)))


def _work(places: Places, jobs: Sequence[Job]) -> dict[str, Any]:
    blobs, manifests = {}, []
    for job in jobs:
        repository = places.target_repository(job)
        for blob in job.image.blobs:
            path = str(places.source.blob_path(blob.digest))
            blobs[repository, blob.digest] = {"repository": repository, "digest": blob.digest, "file": path}
        for manifest, reference in [
            *((child, child.digest) for child in job.image.children),
            (job.image.root, job.tag),
        ]:
            described = {"type": manifest.media_type, "body": manifest.body.decode()}
            manifests.append({"repository": repository, "reference": reference, **described})
    authority = str(places.authority) if places.authority else None
    return {"host": places.target.host, "authority": authority, "blobs": [*blobs.values()], "manifests": manifests}


class _Connection:
    """One persistent connection to the target."""

    def __init__(self, host: str, authority: str | None) -> None:
        if authority:
            context = ssl.create_default_context(cafile=authority)
            self._http: http.client.HTTPConnection = http.client.HTTPSConnection(host, context=context)
        else:
            self._http = http.client.HTTPConnection(host)

    def put_blob(self, blob: dict[str, str]) -> None:
        """Upload a file ("Pushing a blob monolithically": POST then PUT)."""
        location = self._ask("POST", f"/v2/{blob['repository']}/blobs/uploads/", expected=202)
        place = urllib.parse.urlsplit(location)
        with Path(blob["file"]).open("rb") as file:
            self._http.putrequest(
                "PUT", f"{place.path}?{place.query}&digest={blob['digest']}", skip_accept_encoding=True
            )
            self._http.putheader("Content-Length", str(Path(blob["file"]).stat().st_size))
            self._http.endheaders()
            if isinstance(self._http.sock, ssl.SSLSocket):
                while chunk := file.read(CHUNK):
                    self._http.sock.sendall(chunk)
            else:
                self._http.sock.sendfile(file)
        self._answer(expected=201)

    def put_manifest(self, manifest: dict[str, str]) -> None:
        path = f"/v2/{manifest['repository']}/manifests/{manifest['reference']}"
        self._ask("PUT", path, manifest["body"].encode(), {"Content-Type": manifest["type"]}, expected=201)

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None, *, expected: int
    ) -> str:
        self._http.request(method, path, body=body, headers=headers or {})
        return self._answer(expected=expected)

    def _answer(self, *, expected: int) -> str:
        response = self._http.getresponse()
        said = response.read()
        if response.status != expected:
            raise RuntimeError(f"{response.status} {said!r}")
        return response.headers.get("Location", "")


def _upload(work: dict[str, Any]) -> None:
    blobs = list(work["blobs"])

    def uploads() -> None:
        connection = _Connection(work["host"], work["authority"])
        while blobs:
            connection.put_blob(blobs.pop())

    lanes = min(work["lanes"], len(blobs))
    with ThreadPoolExecutor(lanes) as pool:
        for lane in [pool.submit(uploads) for _ in range(lanes)]:
            lane.result()
    connection = _Connection(work["host"], work["authority"])
    for manifest in work["manifests"]:
        connection.put_manifest(manifest)


def main() -> None:
    """Do the work of standard input."""
    work = json.load(sys.stdin)
    started = time.perf_counter()
    _upload(work)
    wall = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"wall": wall, "cpu": used.ru_utime + used.ru_stime, "rss": used.ru_maxrss * KIBIBYTE}))


if __name__ == "__main__":
    main()
