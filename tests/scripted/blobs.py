"""A registry's blobs (distribution spec, "Pulling blobs", "Deleting blobs")."""

import re
from http import HTTPStatus

from tests.scripted.answer import Answer, refusal
from tests.scripted.contents import Contents
from tests.scripted.received_request import ReceivedRequest

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


def unknown_blob() -> Answer:
    return refusal(HTTPStatus.NOT_FOUND, "BLOB_UNKNOWN", "blob unknown to registry")


def answer_blob(contents: Contents, asked: ReceivedRequest, repository: str, digest: str) -> Answer:
    """HEAD, GET (with one Range) and DELETE."""
    blobs = contents.find(repository).blobs
    if digest not in blobs:
        return unknown_blob()
    if asked.method == "DELETE":
        del blobs[digest]
        return Answer(status=HTTPStatus.ACCEPTED, headers={"Docker-Content-Digest": digest})
    if asked.method not in {"GET", "HEAD"}:
        return refusal(HTTPStatus.METHOD_NOT_ALLOWED, "UNSUPPORTED")
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
        "Docker-Content-Digest": digest,
        "Etag": f'"{digest}"',
    }
    wanted = _RANGE.fullmatch(asked.headers.get("range", ""))
    return _part(blobs[digest], headers, wanted) if wanted else Answer(headers=headers, body=blobs[digest])


def _part(content: bytes, headers: dict[str, str], wanted: re.Match[str]) -> Answer:
    start, end = int(wanted[1]), int(wanted[2] or len(content) - 1)
    end = min(end, len(content) - 1)
    if start > end:
        return Answer(
            status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers={"Content-Range": f"bytes */{len(content)}"}
        )
    stated = {**headers, "Content-Range": f"bytes {start}-{end}/{len(content)}"}
    return Answer(status=HTTPStatus.PARTIAL_CONTENT, headers=stated, body=content[start : end + 1])
