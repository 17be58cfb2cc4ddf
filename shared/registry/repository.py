"""One repository of a registry: its manifests, blobs and upload sessions."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import TypeAlias, cast

from yarl import URL

from shared.errors.error import LongshoreError
from shared.http_client.body import Body, StreamedBody
from shared.http_client.bulk.exchange import BulkResponse
from shared.http_client.failures import Failure
from shared.http_client.request import OK, BeforeSend, Reply
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import MAX_MANIFEST_SIZE, Manifest
from shared.oci.reference import check_tag
from shared.registry.download import BlobDownload, bytes_to_skip, confirms_size, read_blob
from shared.registry.manifests import check_pushed, check_reference, read_descriptor, read_manifest
from shared.registry.pages import (
    MAX_REFERRER_PAGES,
    MAX_REFERRERS_LISTED,
    MAX_TAG_PAGES,
    next_page,
    read_referrers,
    read_tags,
)
from shared.registry.repository_requests import OK_OR_MISSING, UPLOAD_CANCELLED, RepositoryRequests, check_name
from shared.registry.request import RegistryRequest
from shared.registry.transport import Transport
from shared.registry.uploads import TakeSession, UploadSession, pass_session, read_progress, still_open
from shared.runtime.concurrency import run_aside

# Called with the digest that a reference has, None if it does not exist; raises if it may not be replaced.
CheckReplaced: TypeAlias = Callable[[Digest | None], None]
_Send: TypeAlias = Callable[[RegistryRequest], Awaitable[Reply]]


class Repository:
    """Methods are the specification's endpoints (end-…). Every failure is a LongshoreError of the registry's side."""

    def __init__(self, transport: Transport, name: str) -> None:
        self.name = check_name(name)
        self._transport = transport
        self._requests = RepositoryRequests(transport.account, name)

    async def head_manifest(self, reference: str) -> Descriptor:
        """Return the descriptor of a tag or digest (end-3). HEAD first, because Docker Hub meters GETs."""
        found = await self.find_manifest(reference)
        if found is None:
            request = self._requests.get_manifest(reference)
            named = self._requests.named(reference)
            raise request.error(Failure.NOT_FOUND, f"{request.host} does not have {named}.")
        return found

    async def find_manifest(self, reference: str) -> Descriptor | None:
        """As `head_manifest`, but return None if there is no such manifest."""
        return await self._find_manifest(reference, self._transport.send)

    async def find_manifest_once(self, reference: str) -> Descriptor | None:
        """As `find_manifest`, in one try: for a caller that can do without the answer."""
        return await self._find_manifest(reference, self._transport.send_once)

    async def get_manifest(self, reference: str, *, limit: int = MAX_MANIFEST_SIZE) -> Manifest:
        """Return a manifest whose bytes have the requested digest and the one in the response's header (end-3).

        A response with more bytes than `limit` is not read to its end. A large manifest is hashed and parsed in a
        thread, so that the event loop does not wait for it.
        """
        request = replace(self._requests.get_manifest(reference), limit=min(limit, MAX_MANIFEST_SIZE))
        reply = await self._transport.send(request)
        wanted = check_reference(reference)
        return await run_aside(len(reply.content), lambda: read_manifest(request, reply, wanted))

    async def put_manifest(
        self,
        reference: str,
        manifest: Manifest,
        *,
        before: BeforeSend | None = None,
        check_replaced: CheckReplaced | None = None,
    ) -> None:
        """Push a manifest by tag or digest; raises `target_blob_unknown` if a part of it is missing (end-7).

        `before` is awaited before each sending. After it, and right before the sending, `check_replaced` gets the
        digest that the reference has by then: the specification has no conditional PUT. Their exceptions are raised
        unchanged, and nothing is sent.
        """

        async def look() -> None:
            if before:
                await before()
            if check_replaced:
                found = await self._find_manifest(reference, self._transport.send_within)
                check_replaced(found.digest if found else None)

        request = replace(self._requests.put_manifest(reference, manifest), before=look if check_replaced else before)
        check_pushed(request, await self._transport.send(request), manifest)

    async def delete_manifest(self, digest: Digest) -> None:
        """Delete a manifest with all its tags; one that is gone already is no error (end-9)."""
        await self._transport.send(self._requests.delete_manifest(digest))

    async def list_tags(self) -> tuple[str, ...]:
        """Return all tags; none if the repository does not exist (end-8)."""
        tags: list[str] = []
        page: URL | None = None
        for _ in range(MAX_TAG_PAGES):
            request = self._requests.list_tags(page)
            reply = await self._transport.send(request)
            tags += read_tags(request, reply)
            page = next_page(request, reply)
            if page is None:
                return tuple(dict.fromkeys(tags))
        raise request.failed(Failure.PROTOCOL, f"listed more than {MAX_TAG_PAGES} pages")

    async def list_first_tags(self) -> tuple[str, ...] | None:
        """Return all tags if they fit on one page; None if they do not, or if the registry lists none."""
        request = self._requests.list_tags()
        reply = await self._transport.send_once(request)
        listed = reply.status in OK and next_page(request, reply) is None
        return read_tags(request, reply) if listed else None

    async def list_referrers(self, subject: Digest) -> tuple[Descriptor, ...] | None:
        """Return the first thousand referrers of a manifest; None if the registry lacks the API (end-12a)."""
        found: list[Descriptor] = []
        page: URL | None = None
        for _ in range(MAX_REFERRER_PAGES):
            request = self._requests.list_referrers(subject, page)
            reply = await self._transport.send(request)
            listed = read_referrers(request, reply)
            if listed is None:
                return None
            found += listed
            page = next_page(request, reply)
            if page is None or len(found) > MAX_REFERRERS_LISTED:
                return tuple({entry.digest: entry for entry in found[:MAX_REFERRERS_LISTED]}.values())
        raise request.failed(Failure.PROTOCOL, f"listed more than {MAX_REFERRER_PAGES} pages")

    async def get_referrers_tag(self, tag: str) -> bytes | None:
        """Return the index of referrers under a tag of the referrers tag schema; None if there is none."""
        request = self._requests.get_manifest(check_tag(tag), OK_OR_MISSING)
        reply = await self._transport.send(request)
        if reply.status == HTTPStatus.NOT_FOUND:
            return None
        if read_referrers(request, reply) is None:
            raise request.failed(Failure.UNSUPPORTED, "has something else", "it is no list of referrers")
        return reply.content

    async def is_empty(self) -> bool:
        """Return whether the registry reports that the repository does not exist, or that it has no tags (end-8)."""
        request = self._requests.list_tags(count=1)
        try:
            return not read_tags(request, await self._transport.send_once(request))
        except LongshoreError as error:
            if error.kind.parks:
                raise
            return False

    async def has_blob(self, blob: Descriptor) -> bool:
        """Return whether the repository holds the blob; one of another size does not count (end-2)."""
        request = self._requests.head_blob(blob)
        return confirms_size(request, await self._transport.send(request), blob) is not False

    async def confirms_blob(self, blob: Descriptor) -> bool:
        """As `has_blob`, for a proof: the registry has to report the size, too."""
        request = self._requests.head_blob(blob)
        return confirms_size(request, await self._transport.send(request), blob) is True

    @asynccontextmanager
    async def open_blob(self, blob: Descriptor, offset: int = 0) -> AsyncIterator[AsyncIterator[bytes]]:
        """Stream the blob's bytes from the offset on; the caller checks the digest (end-2).

        The chunks end with the blob's last byte, or raise: `*_unavailable` if there are fewer bytes, and
        `blob_digest_mismatch` if there are more. An offset at the blob's end makes no request, because registries
        respond to such a Range with nonsense.
        """
        if offset and offset >= blob.size:
            yield _no_chunks()
            return
        request = self._requests.get_blob(blob, offset)
        async with self._transport.open(request) as response:
            skip = bytes_to_skip(request, response, blob, offset)
            async with aclosing(read_blob(request, response, skip=skip, size=blob.size - offset)) as chunks:
                yield chunks

    @asynccontextmanager
    async def download_blob(self, blob: Descriptor, offset: int = 0) -> AsyncIterator[BlobDownload]:
        """As `open_blob`, for a thread to read; the offset is before the blob's end."""
        request = self._requests.get_blob(blob, offset, bulk=True)
        async with self._transport.open(request) as response:
            skip = bytes_to_skip(request, response, blob, offset)
            # A bulk request has a bulk response.
            yield BlobDownload(request, cast("BulkResponse", response), skip=skip, size=blob.size - offset)

    async def mount_blob(self, blob: Descriptor, from_repository: str) -> UploadSession | None:
        """Mount a blob from another repository of this registry (end-11); None if the registry mounted it.

        Otherwise return the session in which to upload it: the one that the registry opened instead, or a new one.
        """
        request = self._requests.mount_blob(blob, from_repository)
        try:
            reply = await self._transport.send_once(request)
            return None if reply.status == HTTPStatus.CREATED else UploadSession.read(request, reply)
        except LongshoreError as error:
            # A mount is only a shortcut: an upload reports the same problem better. A rate limit holds for both.
            if error.kind.parks:
                raise
        return await self.start_upload()

    async def start_upload(self) -> UploadSession:
        """Open an upload session (end-4a)."""
        request = self._requests.start_upload()
        return UploadSession.read(request, await self._transport.send(request))

    async def put_blob(self, session: UploadSession, blob: Descriptor, content: bytes) -> None:
        """Upload a whole blob in one PUT (end-6); the registry has checked its digest afterwards."""
        await self._transport.send_once(self._requests.put_blob(session, blob.digest, content))

    async def patch_upload(
        self, session: UploadSession, offset: int, body: Body, *, ended_early: TakeSession | None = None
    ) -> UploadSession:
        """Send the blob's bytes from `offset` on in one PATCH (end-5), written by a thread.

        Returns the session for the next request. An exception of the body is raised unchanged; before it, or before a
        cancellation, `ended_early` gets the session that the registry made of the bytes so far, if it answers soon.
        """
        request = self._requests.patch_upload(session, offset, body)
        if ended_early:
            request = replace(request, ended_early=partial(pass_session, request, ended_early))
        return UploadSession.read(request, await self._transport.upload(request))

    def restore_session(self, location: str) -> UploadSession | None:
        """Return the session of an address that was stored earlier; None if it is not on this registry."""
        session = UploadSession(location)
        try:
            self._requests.get_upload(session)
        except ValueError:
            return None
        return session

    async def get_upload(self, session: UploadSession) -> tuple[UploadSession, int] | None:
        """Return the session for the next request and the number of bytes that the registry received (end-13).

        None if the registry no longer knows the session, or does not report the number.
        """
        request = self._requests.get_upload(session)
        try:
            reply = await self._transport.send_once(request)
        except LongshoreError as error:
            if error.kind.parks:
                raise
            return None
        return read_progress(request, reply)

    async def stream_upload(self, session: UploadSession, chunks: AsyncIterable[bytes]) -> UploadSession:
        """Send a blob whose size and digest are known only at its end (end-5, chunked as docker push does).

        Returns the session to commit. An exception of the chunks is raised unchanged, and no task reads the chunks
        after this method has ended.
        """
        body = StreamedBody(chunks)
        request = self._requests.stream_upload(session, body)
        try:
            reply = await self._transport.upload(request)
        except LongshoreError:
            if body.error:
                raise body.error from None
            raise
        finally:
            await body.stop()
        if not body.complete:
            raise request.failed(Failure.PROTOCOL, "accepted the blob before it was sent")
        return UploadSession.read(request, reply)

    async def commit_upload(self, session: UploadSession, digest: Digest) -> None:
        """Turn the uploaded bytes into a blob; the registry compares the digest (end-6)."""
        await self._transport.send_once(self._requests.commit_upload(session, digest))

    async def cancel_upload(self, session: UploadSession) -> bool:
        """Close an upload session, so that the registry keeps nothing of it (distribution's own DELETE).

        Return whether the registry confirms it; False for a session that it does not know, or no longer.
        """
        return (await self._transport.send_once(self._requests.cancel_upload(session))).status in UPLOAD_CANCELLED

    def is_upload(self, address: str) -> bool:
        """Return whether this is the address of an upload on this registry and below this repository."""
        return self._requests.is_upload(address)

    async def discard_upload(self, address: str) -> bool:
        """Have the registry drop an upload that an earlier request opened; return whether nothing is left to do.

        That is so if the registry says that it has no such upload, cannot cancel any, or if the address is none of its
        uploads. A 404 without the registry's code proves nothing: a proxy without its registry answers it, too.
        """
        if not self.is_upload(address):
            return True
        request = self._requests.find_upload(UploadSession(address))
        session = still_open(request, await self._transport.send_once(request), UploadSession(address))
        if session is None:
            return True
        if not self.is_upload(session.location):
            raise request.failed(Failure.PROTOCOL, "names another repository for the upload")
        reply = await self._transport.send_once(self._requests.cancel_upload(session))
        return reply.status == HTTPStatus.METHOD_NOT_ALLOWED

    async def _find_manifest(self, reference: str, send: _Send) -> Descriptor | None:
        request = self._requests.head_manifest(reference)
        reply = await send(request)
        if reply.status == HTTPStatus.NOT_FOUND:
            return None
        wanted = check_reference(reference)
        found = read_descriptor(request, reply.headers, wanted) if reply.status in OK else None
        return found or await self._descriptor_from_content(reference, send)

    async def _descriptor_from_content(self, reference: str, send: _Send) -> Descriptor | None:
        request = self._requests.get_manifest(reference, OK_OR_MISSING)
        reply = await send(request)
        if reply.status == HTTPStatus.NOT_FOUND:
            return None
        manifest = read_manifest(request, reply, check_reference(reference))
        return Descriptor(media_type=manifest.media_type, digest=manifest.digest, size=manifest.size)


async def _no_chunks() -> AsyncIterator[bytes]:
    none: tuple[bytes, ...] = ()
    for chunk in none:
        yield chunk
