"""One repository of a registry, by the steps of the OCI distribution specification."""

import re
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from shared.errors import LongshoreError, Side
from shared.network.session import SMALL_TIMEOUT, STREAM_TIMEOUT
from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import MAX_MANIFEST_SIZE, Manifest
from shared.oci.reference import MAX_NAME_LENGTH
from shared.registry.download import bytes_to_skip, range_header, read_blob
from shared.registry.failures import Failure
from shared.registry.locations import origin, upload_location, with_digest
from shared.registry.manifests import check_pushed, check_reference, read_descriptor, read_manifest
from shared.registry.request import OK, Reply, Request, Subject
from shared.registry.scopes import DELETE, PULL, PULL_PUSH, Scopes
from shared.registry.sized_body import BodySizeError, SizedBody
from shared.registry.transport import Transport
from shared.registry.uploads import UploadSession

OK_OR_MISSING = frozenset({200, 404})
# Some registries know no HEAD for manifests; then GET decides.
HEAD_ANSWERS = frozenset({200, 404, 405, 501})
OK_OR_PARTIAL = frozenset({200, 206})
CREATED = frozenset({201})
ACCEPTED = frozenset({202})
MOUNTED_OR_ACCEPTED = CREATED | ACCEPTED
# The specification says 201; older registries say the other two.
PUSHED = frozenset({200, 201, 202})
# 404: it is gone already. 405: the registry lets sessions run out by themselves.
CANCELLED = frozenset({200, 202, 204, 404, 405})
DELETED = frozenset({200, 202, 204, 404})
# Every name that references allow; checked again here, because the name becomes part of an address.
_NAME = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")


class Repository:
    """Manifests and blobs of one repository. Every failure is a LongshoreError of the registry's side."""

    def __init__(self, transport: Transport, name: str) -> None:
        if len(name) > MAX_NAME_LENGTH or _NAME.fullmatch(name) is None:
            raise ValueError(f"{name[:100]!r} is not a repository name")
        self.name = name
        self._transport = transport
        # A target's repository is pushed to in the end, so that one token serves all requests to it.
        actions = PULL if transport.account.side is Side.SOURCE else PULL_PUSH
        self._scopes = Scopes.repository(name, actions)

    async def head_manifest(self, reference: str) -> Descriptor:
        """Return what a tag or digest points to. HEAD first: Docker Hub meters GETs (spec, end-3)."""
        found = await self.find_manifest(reference)
        if found is None:
            request = self._manifest_request("HEAD", reference)
            raise request.error(Failure.NOT_FOUND, f"{request.host} does not have {self._named(reference)}.")
        return found

    async def find_manifest(self, reference: str) -> Descriptor | None:
        """As `head_manifest`, but None where there is no such manifest."""
        request = self._manifest_request("HEAD", reference, accepts=HEAD_ANSWERS)
        reply = await self._transport.ask(request)
        if reply.status == 404:  # noqa: PLR2004 - statuses read best as numbers beside the specification
            return None
        found = read_descriptor(request, reply.headers, check_reference(reference)) if reply.status in OK else None
        if found:
            return found
        manifest = await self._fetch_manifest(reference, OK_OR_MISSING)
        if manifest is None:
            return None
        return Descriptor(media_type=manifest.media_type, digest=manifest.digest, size=manifest.size)

    async def get_manifest(self, reference: str) -> Manifest:
        """Return a manifest whose bytes have the digest asked for and the one that the registry states (end-3)."""
        manifest = await self._fetch_manifest(reference, OK)
        assert manifest is not None  # noqa: S101 - only where a 404 is accepted
        return manifest

    async def put_manifest(self, reference: str, manifest: Manifest) -> None:
        """Push a manifest under a tag or its digest; what it points to must be there (spec, end-7)."""
        check_reference(reference)
        request = self._request(
            Subject.PUSHED_MANIFEST,
            f"pushing the manifest of {self._named(reference)}",
            "PUT",
            self._url(f"manifests/{reference}"),
            headers={"Content-Type": manifest.media_type},
            body=manifest.content,
            accepts=PUSHED,
        )
        check_pushed(request, await self._transport.ask(request), manifest)

    async def delete_manifest(self, digest: Digest) -> None:
        """Delete a manifest with all its tags; one that is gone already is no error (spec, end-9)."""
        step = f"deleting the manifest of {self._named(str(digest))}"
        scopes = self._scopes | Scopes.repository(self.name, DELETE)
        url = self._url(f"manifests/{digest}")
        await self._transport.ask(self._request(Subject.MANIFEST, step, "DELETE", url, accepts=DELETED, scopes=scopes))

    async def has_blob(self, blob: Descriptor) -> bool:
        """Tell whether the repository holds the blob; one of another size does not count (spec, end-2)."""
        step = f"looking for blob {blob.digest} in {self.name}"
        request = self._request(Subject.BLOB, step, "HEAD", self._url(f"blobs/{blob.digest}"), accepts=OK_OR_MISSING)
        reply = await self._transport.ask(request)
        return reply.status in OK and reply.headers.get("Content-Length", str(blob.size)) == str(blob.size)

    @asynccontextmanager
    async def open_blob(self, blob: Descriptor, offset: int = 0) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open the blob's bytes from the offset on, as they arrive; the caller checks the digest (spec, end-2).

        The chunks end with the blob's last byte, or raise: `*_unavailable` where there are fewer, and
        `blob_digest_mismatch` where there are more. At the blob's end nothing is asked: registries answer a Range
        that starts there with nonsense.
        """
        if offset and offset >= blob.size:
            yield _nothing()
            return
        request = self._request(
            Subject.BLOB,
            f"reading blob {blob.digest} of {self.name}",
            "GET",
            self._url(f"blobs/{blob.digest}"),
            headers=range_header(blob, offset),
            accepts=OK_OR_PARTIAL,
            timeout=STREAM_TIMEOUT,
        )
        async with self._transport.stream(request) as response:
            skip = bytes_to_skip(request, response, blob, offset)
            async with aclosing(read_blob(request, response, skip=skip, size=blob.size - offset)) as chunks:
                yield chunks

    async def mount_blob(self, blob: Descriptor, from_repository: str) -> UploadSession | None:
        """Link a blob from another repository of this registry (spec, end-11); None where that was done.

        Otherwise the session in which to upload it: the one that the registry opened instead, or a new one.
        """
        query = urlencode({"mount": str(blob.digest), "from": from_repository})
        request = self._request(
            Subject.UPLOAD,
            f"mounting blob {blob.digest} from {from_repository} to {self.name}",
            "POST",
            self._url(f"blobs/uploads/?{query}"),
            accepts=MOUNTED_OR_ACCEPTED,
            scopes=self._scopes | Scopes.repository(from_repository, PULL),
        )
        try:
            reply = await self._transport.ask_once(request)
            return None if reply.status in CREATED else _session(request, reply)
        except LongshoreError as error:
            # A mount is only a shortcut: whatever it fails of, an upload says better. A rate limit holds for both.
            if error.kind.parks:
                raise
            return await self.start_upload()

    async def start_upload(self) -> UploadSession:
        """Open an upload session (spec, end-4a)."""
        url = self._url("blobs/uploads/")
        step = f"starting an upload to {self.name}"
        request = self._request(Subject.UPLOAD, step, "POST", url, accepts=ACCEPTED)
        return _session(request, await self._transport.ask(request))

    async def upload_blob(self, session: UploadSession, blob: Descriptor, chunks: AsyncIterable[bytes]) -> None:
        """Send the whole blob in one PUT (spec, end-6); afterwards the registry holds it, checked by digest.

        What the chunks raise comes out unchanged.
        """
        body = SizedBody(chunks, blob.size)
        request = self._request(
            Subject.UPLOAD,
            f"uploading blob {blob.digest} to {self.name}",
            "PUT",
            with_digest(self._session_url(session), str(blob.digest)),
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)},
            body=body,
            accepts=CREATED,
            timeout=STREAM_TIMEOUT,
        )
        try:
            await self._transport.send(request)
        except LongshoreError:
            _raise_own(body, blob)
            raise
        if not body.complete:
            raise request.failed(Failure.PROTOCOL, "took the blob before it was sent")

    async def cancel_upload(self, session: UploadSession) -> None:
        """Close an upload session, so that the registry keeps nothing of it (distribution's DELETE)."""
        url = self._session_url(session)
        step = f"cancelling an upload to {self.name}"
        await self._transport.ask_once(self._request(Subject.UPLOAD, step, "DELETE", url, accepts=CANCELLED))

    async def _fetch_manifest(self, reference: str, accepts: frozenset[int]) -> Manifest | None:
        request = self._manifest_request("GET", reference, accepts=accepts)
        reply = await self._transport.ask(request)
        return read_manifest(request, reply, check_reference(reference)) if reply.status in OK else None

    def _manifest_request(self, method: str, reference: str, accepts: frozenset[int] = OK) -> Request:
        check_reference(reference)
        return self._request(
            Subject.MANIFEST,
            f"reading the manifest of {self._named(reference)}",
            method,
            self._url(f"manifests/{reference}"),
            headers={"Accept": media_types.ACCEPT_MANIFESTS},
            accepts=accepts,
        )

    def _request(
        self,
        subject: Subject,
        step: str,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | SizedBody | None = None,
        accepts: frozenset[int] = OK,
        scopes: Scopes | None = None,
        timeout: aiohttp.ClientTimeout = SMALL_TIMEOUT,
    ) -> Request:
        return Request(
            side=self._transport.account.side,
            subject=subject,
            step=step,
            method=method,
            url=url,
            scopes=scopes or self._scopes,
            headers=headers or {},
            body=body,
            accepts=accepts,
            limit=MAX_MANIFEST_SIZE,
            timeout=timeout,
        )

    def _url(self, path: str) -> URL:
        return URL(f"{self._transport.account.base}/v2/{self.name}/{path}", encoded=True)

    def _session_url(self, session: UploadSession) -> URL:
        url = URL(session.location, encoded=True)
        if origin(url) != origin(self._transport.account.base):
            raise ValueError("the upload session belongs to another registry")
        return url

    def _named(self, reference: str) -> str:
        return f"{self.name}{'@' if ':' in reference else ':'}{reference}"


def _session(request: Request, reply: Reply) -> UploadSession:
    return UploadSession(str(upload_location(request, request.url, reply.headers.get("Location"))))


def _raise_own(body: SizedBody, blob: Descriptor) -> None:
    """Raise what the chunks failed of, if they did: the registry's error is only its consequence."""
    if isinstance(body.error, BodySizeError):
        raise LongshoreError("blob_digest_mismatch", f"Blob {blob.digest}: {body.error}.") from None
    if body.error:
        raise body.error from None


async def _nothing() -> AsyncIterator[bytes]:
    none: tuple[bytes, ...] = ()
    for chunk in none:
        yield chunk
