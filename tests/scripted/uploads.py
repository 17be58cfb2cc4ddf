"""A registry's upload sessions (distribution spec, "Pushing blobs"; cancelling is distribution's own).

A session keeps what has arrived, also of a request that was cut, as distribution 3 does.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from http import HTTPStatus

from tests.scripted.answer import Answer, refusal
from tests.scripted.contents import Contents, Upload, digest_of, is_digest
from tests.scripted.received_request import ReceivedRequest

_CONTENT_RANGE = re.compile(r"(?:bytes )?(\d+)-(\d+)")


def answer_start(contents: Contents, asked: ReceivedRequest, repository: str, base: str) -> Answer:
    """Open a session, or mount a blob from a repository that holds it."""
    mounted, neighbour = asked.parameter("mount"), asked.parameter("from")
    held = contents.find(neighbour).blobs if neighbour else {}
    if mounted in held:
        contents.stock(repository).blobs[mounted] = held[mounted]
        return _committed(base, repository, mounted)
    return _session(HTTPStatus.ACCEPTED, contents, base, contents.start(repository))


async def answer_upload(
    contents: Contents, asked: ReceivedRequest, identity: str, body: AsyncIterator[bytes], base: str
) -> Answer:
    """Process a session's PATCH, PUT, GET and DELETE."""
    upload = contents.uploads.get(identity)
    if upload is None:
        return refusal(HTTPStatus.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
    if asked.method == "DELETE":
        del contents.uploads[identity]
        return Answer(status=HTTPStatus.NO_CONTENT, headers={"Docker-Upload-UUID": identity})
    if asked.method == "GET":
        return _session(HTTPStatus.NO_CONTENT, contents, base, identity)
    if asked.method in {"PATCH", "PUT"}:
        return await _take(contents, asked, identity, body, base)
    return refusal(HTTPStatus.METHOD_NOT_ALLOWED, "UNSUPPORTED")


async def _take(
    contents: Contents, asked: ReceivedRequest, identity: str, body: AsyncIterator[bytes], base: str
) -> Answer:
    upload = contents.uploads[identity]
    if _out_of_order(asked, upload):
        return _session(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, contents, base, identity)
    async for part in body:
        upload.content += part
    if asked.method == "PATCH":
        return _session(HTTPStatus.ACCEPTED, contents, base, identity)
    return await _commit(contents, asked, identity, base)


def _out_of_order(asked: ReceivedRequest, upload: Upload) -> bool:
    stated = asked.headers.get("content-range")
    read = _CONTENT_RANGE.fullmatch(stated) if stated else None
    return stated is not None and (read is None or int(read[1]) != len(upload.content))


async def _commit(contents: Contents, asked: ReceivedRequest, identity: str, base: str) -> Answer:
    upload = contents.uploads[identity]
    wanted, content = asked.parameter("digest") or "", bytes(upload.content)
    if not is_digest(wanted):
        return refusal(HTTPStatus.BAD_REQUEST, "DIGEST_INVALID", "provided digest did not match uploaded content")
    del contents.uploads[identity]
    if await asyncio.to_thread(digest_of, content, wanted.partition(":")[0]) != wanted:
        return refusal(HTTPStatus.BAD_REQUEST, "DIGEST_INVALID", "provided digest did not match uploaded content")
    contents.stock(upload.repository).blobs[wanted] = content
    return _committed(base, upload.repository, wanted)


def _session(status: int, contents: Contents, base: str, identity: str) -> Answer:
    upload = contents.uploads[identity]
    headers = {
        "Location": f"{base}/v2/{upload.repository}/blobs/uploads/{identity}?_state={identity[:8]}%3D",
        "Range": f"0-{max(0, len(upload.content) - 1)}",
        "Docker-Upload-UUID": identity,
    }
    return Answer(status=status, headers=headers)


def _committed(base: str, repository: str, digest: str) -> Answer:
    headers = {"Location": f"{base}/v2/{repository}/blobs/{digest}", "Docker-Content-Digest": digest}
    return Answer(status=HTTPStatus.CREATED, headers=headers)
