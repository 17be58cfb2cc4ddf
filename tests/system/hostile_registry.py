"""A registry that names blobs which it does not have, confirms every one of them, and records who asks for bytes."""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from deploy.local.images.image import OCI, Blob, Manifest

LOOPBACK = "127.0.0.1"
_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs|referrers|tags)/(?P<reference>[^/?]+)(\?.*)?")


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One image of the registry: manifests by reference, the blobs that it has, and the descriptors that it invents."""

    manifests: Mapping[str, Manifest]
    own: Mapping[str, bytes]
    sizes: Mapping[str, int]
    referrers: tuple[Manifest, ...] = ()


@dataclass(kw_only=True)
class HostileRegistry:
    """Serves offers by repository. A GET of a blob that it lacks gets 404, or other bytes of the stated size."""

    port: int
    offers: dict[str, Offer] = field(default_factory=dict)
    asked_for: list[str] = field(default_factory=list)
    """The digests of blobs whose bytes were requested although the registry lacks them."""

    @property
    def host(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @contextmanager
    def running(self) -> Iterator["HostileRegistry"]:
        server = ThreadingHTTPServer((LOOPBACK, self.port), _handler(self))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def answer(self, path: str, method: str) -> tuple[int, str, bytes, int]:
        """Return status, media type, body and stated length."""
        step = _PATH.fullmatch(path)
        offer = self.offers.get(step["name"]) if step else None
        if step is None or offer is None:
            return (200, "application/json", b"{}", 2) if path == "/v2/" else _missing()
        if step["kind"] == "referrers":
            return _document(_listing(offer.referrers if step["reference"] == offer_subject(offer) else ()))
        if step["kind"] == "manifests":
            found = offer.manifests.get(step["reference"])
            return _document(found) if found else _missing()
        return self._blob(offer, step["reference"], method) if step["kind"] == "blobs" else _missing()

    def _blob(self, offer: Offer, digest: str, method: str) -> tuple[int, str, bytes, int]:
        if digest in offer.own:
            content = offer.own[digest]
            return 200, "application/octet-stream", content, len(content)
        if method == "HEAD":
            return 200, "application/octet-stream", b"", offer.sizes.get(digest, 0)
        self.asked_for.append(digest)
        size = offer.sizes.get(digest, 0)
        return (200, "application/octet-stream", bytes(size), size) if len(self.asked_for) % 2 else _missing()


def offer_subject(offer: Offer) -> str:
    """Return the digest of the image that the referrers refer to."""
    return offer.manifests["latest"].digest


def _listing(referrers: tuple[Manifest, ...]) -> Manifest:
    entries = [manifest.descriptor(artifactType="application/spdx+json") for manifest in referrers]
    document = {"schemaVersion": 2, "mediaType": OCI.index, "manifests": entries}
    return Manifest(media_type=OCI.index, body=json.dumps(document).encode())


def _document(manifest: Manifest) -> tuple[int, str, bytes, int]:
    return 200, manifest.media_type, manifest.body, len(manifest.body)


def _missing() -> tuple[int, str, bytes, int]:
    return 404, "application/json", b'{"errors": []}', 14


def _handler(registry: HostileRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, media_type, body, length = registry.answer(self.path, self.command)
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - http.server's name for it

        def log_message(self, *_: object) -> None:
            """Log nothing: the tests read the records."""

    return Handler


def described(blob: Blob, **changed: object) -> dict[str, object]:
    """Return a descriptor of a blob, with these fields changed."""
    return {**blob.descriptor(), **changed}
