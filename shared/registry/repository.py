"""One repository of a registry: its manifests and blobs, read, pushed and checked."""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from typing import cast

from yarl import URL

from shared.errors.error import LongshoreError
from shared.http_client.body import Body, StreamedBody
from shared.http_client.bulk.exchange import BulkResponse
from shared.http_client.failures import Failure
from shared.http_client.locations import upload_location
from shared.http_client.request import OK, Before, Reply, Request
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.oci.reference import check_tag
from shared.registry.download import BlobDownload, bytes_to_skip, read_blob
from shared.registry.manifests import check_pushed, check_reference, read_descriptor, read_manifest
from shared.registry.referrers.referrer_list import MAX_LISTED, MAX_REFERRER_PAGES, read_referrers
from shared.registry.requests import OK_OR_MISSING, Steps, check_name
from shared.registry.tag_list import MAX_PAGES, next_page, read_tags
from shared.registry.transport import Transport
from shared.registry.uploads import UploadSession, bytes_taken


class Repository:
    """Every failure is a LongshoreError of the registry's side. Numbers are the specification's endpoints."""

    def __init__(self, transport: Transport, name: str) -> None:
        self.name = check_name(name)
        self._transport = transport
        self._steps = Steps(transport.account, name)

    async def head_manifest(self, reference: str) -> Descriptor:
        """Return what a tag or digest points to. HEAD first: Docker Hub meters GETs (end-3)."""
        found = await self.find_manifest(reference)
        if found is None:
            request = self._steps.get_manifest(reference)
            named = self._steps.named(reference)
            raise request.error(Failure.NOT_FOUND, f"{request.host} does not have {named}.")
        return found

    async def find_manifest(self, reference: str) -> Descriptor | None:
        """As `head_manifest`, but None where there is no such manifest."""
        request = self._steps.head_manifest(reference)
        reply = await self._transport.ask(request)
        if reply.status == HTTPStatus.NOT_FOUND:
            return None
        wanted = check_reference(reference)
        found = read_descriptor(request, reply.headers, wanted) if reply.status in OK else None
        return found or await self._described_by_content(reference)

    async def get_manifest(self, reference: str) -> Manifest:
        """Return a manifest whose bytes have the digest asked for and the one that the registry states (end-3)."""
        request = self._steps.get_manifest(reference)
        return read_manifest(request, await self._transport.ask(request), check_reference(reference))

    async def put_manifest(self, reference: str, manifest: Manifest, *, before: Before | None = None) -> None:
        """Push a manifest under a tag or its digest; `target_blob_unknown` where what it names is missing (end-7)."""
        request = replace(self._steps.put_manifest(reference, manifest), before=before)
        check_pushed(request, await self._transport.ask(request), manifest)

    async def delete_manifest(self, digest: Digest) -> None:
        """Delete a manifest with all its tags; one that is gone already is no error (end-9)."""
        await self._transport.ask(self._steps.delete_manifest(digest))

    async def list_tags(self) -> tuple[str, ...]:
        """Return all tags; none where the repository does not exist (end-8)."""
        tags: list[str] = []
        page: URL | None = None
        for _ in range(MAX_PAGES):
            request = self._steps.list_tags(page)
            reply = await self._transport.ask(request)
            tags += read_tags(request, reply)
            page = next_page(request, reply)
            if page is None:
                return tuple(dict.fromkeys(tags))
        raise request.failed(Failure.PROTOCOL, f"listed more than {MAX_PAGES} pages")

    async def list_first_tags(self) -> tuple[str, ...] | None:
        """Return all tags where they fit on one page; None where they do not, or where the registry lists none."""
        request = self._steps.list_tags()
        reply = await self._transport.ask_once(request)
        listed = reply.status in OK and next_page(request, reply) is None
        return read_tags(request, reply) if listed else None

    async def list_referrers(self, subject: Digest) -> tuple[Descriptor, ...] | None:
        """Return what refers to a manifest, the first thousand; None where there is no such API (end-12a)."""
        found: list[Descriptor] = []
        page: URL | None = None
        for _ in range(MAX_REFERRER_PAGES):
            request = self._steps.list_referrers(subject, page)
            reply = await self._transport.ask(request)
            listed = read_referrers(request, reply)
            if listed is None:
                return None
            found += listed
            page = next_page(request, reply)
            if page is None or len(found) > MAX_LISTED:
                return tuple({entry.digest: entry for entry in found[:MAX_LISTED]}.values())
        raise request.failed(Failure.PROTOCOL, f"listed more than {MAX_REFERRER_PAGES} pages")

    async def get_referrers_tag(self, tag: str) -> bytes | None:
        """Return the index of referrers under a tag of the tag schema; None where there is none."""
        request = self._steps.get_manifest(check_tag(tag), OK_OR_MISSING)
        reply = await self._transport.ask(request)
        if reply.status == HTTPStatus.NOT_FOUND:
            return None
        if read_referrers(request, reply) is None:
            raise request.failed(Failure.UNSUPPORTED, "has something else", "it is no list of referrers")
        return reply.content

    async def is_vacant(self) -> bool:
        """Tell whether the registry says that there is no such repository, or that it has no tags (end-8)."""
        request = self._steps.list_tags(count=1)
        try:
            return not read_tags(request, await self._transport.ask_once(request))
        except LongshoreError as error:
            if error.kind.parks:
                raise
            return False

    async def has_blob(self, blob: Descriptor) -> bool:
        """Tell whether the repository holds the blob; one of another size does not count (end-2)."""
        reply = await self._transport.ask(self._steps.head_blob(blob))
        return reply.status in OK and reply.headers.get("Content-Length", str(blob.size)) == str(blob.size)

    @asynccontextmanager
    async def open_blob(self, blob: Descriptor, offset: int = 0) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open the blob's bytes from the offset on, as they arrive; the caller checks the digest (end-2).

        The chunks end with the blob's last byte, or raise: `*_unavailable` where there are fewer, and
        `blob_digest_mismatch` where there are more. At the blob's end nothing is asked: registries answer a Range
        that starts there with nonsense.
        """
        if offset and offset >= blob.size:
            yield _nothing()
            return
        request = self._steps.get_blob(blob, offset)
        async with self._transport.stream(request) as response:
            skip = bytes_to_skip(request, response, blob, offset)
            async with aclosing(read_blob(request, response, skip=skip, size=blob.size - offset)) as chunks:
                yield chunks

    @asynccontextmanager
    async def download_blob(self, blob: Descriptor, offset: int = 0) -> AsyncIterator[BlobDownload]:
        """As `open_blob`, for a thread to read; the offset is before the blob's end."""
        request = self._steps.get_blob(blob, offset, bulk=True)
        async with self._transport.stream(request) as response:
            skip = bytes_to_skip(request, response, blob, offset)
            # What was asked for in bulk is answered in bulk.
            yield BlobDownload(request, cast("BulkResponse", response), skip=skip, size=blob.size - offset)

    async def mount_blob(self, blob: Descriptor, from_repository: str) -> UploadSession | None:
        """Link a blob from another repository of this registry (end-11); None where that was done.

        Otherwise the session in which to upload it: the one that the registry opened instead, or a new one.
        """
        request = self._steps.mount_blob(blob, from_repository)
        try:
            reply = await self._transport.ask_once(request)
            return None if reply.status == HTTPStatus.CREATED else _session(request, reply)
        except LongshoreError as error:
            # A mount is only a shortcut: whatever it fails of, an upload says better. A rate limit holds for both.
            if error.kind.parks:
                raise
        return await self.start_upload()

    async def start_upload(self) -> UploadSession:
        """Open an upload session (end-4a)."""
        request = self._steps.start_upload()
        return _session(request, await self._transport.ask(request))

    async def put_blob(self, session: UploadSession, blob: Descriptor, content: bytes) -> None:
        """Send a whole blob in one PUT (end-6); afterwards the registry holds it, checked by digest."""
        await self._transport.ask_once(self._steps.put_blob(session, blob.digest, content))

    async def append_to_blob(self, session: UploadSession, offset: int, body: Body) -> UploadSession:
        """Send bytes in one PATCH, the first of them being the blob's at `offset` (end-5), written by a thread.

        Returns where to go on. What the body raises comes out unchanged.
        """
        request = self._steps.append_to_blob(session, offset, body)
        return _session(request, await self._transport.send(request))

    def session_at(self, location: str) -> UploadSession | None:
        """Return a session by the address that it was given once; None where that is not this registry's."""
        session = UploadSession(location)
        try:
            self._steps.find_session(session)
        except ValueError:
            return None
        return session

    async def find_session(self, session: UploadSession) -> tuple[UploadSession, int] | None:
        """Return where to go on with an upload, and how many bytes the registry says it has taken (end-13).

        None where it does not know the session any more, or does not say.
        """
        request = self._steps.find_session(session)
        try:
            reply = await self._transport.ask_once(request)
        except LongshoreError as error:
            if error.kind.parks:
                raise
            return None
        taken = bytes_taken(reply.headers.get("Range"))
        return (_session(request, reply), taken) if taken and reply.headers.get("Location") else None

    async def stream_upload(self, session: UploadSession, chunks: AsyncIterable[bytes]) -> UploadSession:
        """Send a blob whose size and digest show at its end (end-5, chunked as docker push does).

        Returns where to commit it. As with `upload_blob`, the chunks' own failure comes out unchanged, and nobody
        reads them any more afterwards.
        """
        body = StreamedBody(chunks)
        request = self._steps.stream_upload(session, body)
        try:
            reply = await self._transport.send(request)
        except LongshoreError:
            if body.error:
                raise body.error from None
            raise
        finally:
            await body.stop()
        if not body.complete:
            raise request.failed(Failure.PROTOCOL, "took the blob before it was sent")
        return _session(request, reply)

    async def commit_upload(self, session: UploadSession, digest: Digest) -> None:
        """Make what was streamed a blob; the registry compares the digest (end-6)."""
        await self._transport.ask_once(self._steps.commit_upload(session, digest))

    async def cancel_upload(self, session: UploadSession) -> None:
        """Close an upload session, so that the registry keeps nothing of it (distribution's own DELETE)."""
        await self._transport.ask_once(self._steps.cancel_upload(session))

    async def _described_by_content(self, reference: str) -> Descriptor | None:
        request = self._steps.get_manifest(reference, OK_OR_MISSING)
        reply = await self._transport.ask(request)
        if reply.status == HTTPStatus.NOT_FOUND:
            return None
        manifest = read_manifest(request, reply, check_reference(reference))
        return Descriptor(media_type=manifest.media_type, digest=manifest.digest, size=manifest.size)


def _session(request: Request, reply: Reply) -> UploadSession:
    return UploadSession(str(upload_location(request, request.url, reply.headers.get("Location"))))


async def _nothing() -> AsyncIterator[bytes]:
    none: tuple[bytes, ...] = ()
    for chunk in none:
        yield chunk
