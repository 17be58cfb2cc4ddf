"""A plain registry client, which fills registries and checks their content.

It shares no code with the product's client, so that its checks are independent. It uses the standard library, and sends
one blocking request at a time. Section names are those of the distribution specification.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import urllib.parse
from typing import TYPE_CHECKING, Protocol

from deploy.local.images.image import CHUNK_BYTES, DOCKER, OCI, Blob, Image, Manifest
from deploy.local.processes.scratch import LocalStackError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# Seconds without a byte after which a registry on loopback counts as stuck.
IDLE_SECONDS = 60.0

MANIFEST_TYPES = f"{OCI.index}, {OCI.manifest}, {DOCKER.index}, {DOCKER.manifest}"


class Addressed(Protocol):
    """A registry of the local stack: its address, its account, and the authority of its certificate."""

    @property
    def url(self) -> str: ...
    @property
    def username(self) -> str | None: ...
    @property
    def password(self) -> str | None: ...
    @property
    def ca_file(self) -> Path | None: ...


class Remote:
    """A client of the registry at a URL. `bearer` is a token for registries with token authentication."""

    def __init__(
        self,
        url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        bearer: str | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self.address = urllib.parse.urlsplit(url)
        self.headers: dict[str, str] = {}
        if username is not None:
            login = base64.b64encode(f"{username}:{password}".encode()).decode()
            self.headers["Authorization"] = f"Basic {login}"
        elif bearer is not None:
            self.headers["Authorization"] = f"Bearer {bearer}"
        self._tls = ssl.create_default_context(cafile=ca_file) if self.address.scheme == "https" else None

    @classmethod
    def of(cls, registry: Addressed) -> Remote:
        """Return a client for a registry of the local stack."""
        return cls(registry.url, username=registry.username, password=registry.password, ca_file=registry.ca_file)

    def push(self, repository: str, tag: str, image: Image) -> None:
        """Push an image: the blobs, then the children, then the tagged manifest."""
        for blob in image.blobs:
            self.push_blob(repository, blob)
        for child in image.children:
            self.push_manifest(repository, child.digest, child)
        self.push_manifest(repository, tag, image.root)

    def has_blob(self, repository: str, digest: str) -> bool:
        """Return whether a blob exists ("Checking if content exists in the registry")."""
        with self._request("HEAD", f"{repository}/blobs/{digest}", ok=(200, 404)) as response:
            return response.status == http.client.OK

    def push_blob(self, repository: str, blob: Blob) -> None:
        """Upload a blob if it is missing ("Pushing a blob monolithically": POST then PUT)."""
        if self.has_blob(repository, blob.digest):
            return
        with self._request("POST", f"{repository}/blobs/uploads/", ok=(202,)) as response:
            place = urllib.parse.urlsplit(response.headers["Location"])
        query = f"{place.query}&" if place.query else ""
        target = f"{place.path}?{query}digest={urllib.parse.quote(blob.digest)}"
        headers = {"Content-Length": str(blob.size), "Content-Type": "application/octet-stream"}
        self._request("PUT", target, ok=(201,), headers=headers, body=iter(blob.read())).close()

    def push_manifest(self, repository: str, reference: str, manifest: Manifest) -> None:
        """Push a manifest under a tag or its digest ("Pushing Manifests")."""
        headers = {"Content-Type": manifest.media_type}
        path = f"{repository}/manifests/{reference}"
        self._request("PUT", path, ok=(201,), headers=headers, body=manifest.body).close()

    def manifest(self, repository: str, reference: str) -> Manifest:
        """Get a manifest by tag or digest ("Pulling manifests")."""
        path = f"{repository}/manifests/{reference}"
        with self._request("GET", path, ok=(200,), headers={"Accept": MANIFEST_TYPES}) as response:
            return Manifest(media_type=response.headers["Content-Type"], body=response.read())

    def blob(self, repository: str, digest: str) -> Iterator[bytes]:
        """Yield a blob in chunks, which have the same size except the last ("Pulling blobs")."""
        with self._request("GET", f"{repository}/blobs/{digest}", ok=(200,)) as response:
            while chunk := response.read(CHUNK_BYTES):
                yield chunk

    def delete_manifest(self, repository: str, digest: str) -> None:
        """Delete a manifest and the tags that point to it ("Deleting Manifests")."""
        self._request("DELETE", f"{repository}/manifests/{digest}", ok=(202,)).close()

    def _request(
        self,
        method: str,
        path: str,
        *,
        ok: tuple[int, ...],
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterator[bytes] | None = None,
    ) -> Answer:
        """Send one request; LocalStackError with the registry's message for a status that is not in `ok`."""
        connection = self._connection()
        full = path if path.startswith("/") else f"/v2/{path}"
        try:
            connection.request(method, full, body=body, headers=self.headers | dict(headers or {}))
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise LocalStackError(f"{method} {full} at {self.address.netloc}: {error!r}") from error
        if response.status not in ok:
            message = response.read(CHUNK_BYTES).decode(errors="replace").strip()
            connection.close()
            raise LocalStackError(f"{method} {full}: {response.status} {response.reason} {message}")
        return Answer(connection, response)

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is not None:
            return http.client.HTTPSConnection(self.address.netloc, timeout=IDLE_SECONDS, context=self._tls)
        return http.client.HTTPConnection(self.address.netloc, timeout=IDLE_SECONDS)


class Answer:
    """A response with its connection."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection = connection
        self.response = response

    def __enter__(self) -> http.client.HTTPResponse:
        return self.response

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.response.close()
        self._connection.close()
