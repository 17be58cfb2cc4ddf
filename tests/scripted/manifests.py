"""A registry's manifests and tags (distribution spec, "Pulling manifests", "Pushing Manifests", "Listing Tags")."""

from collections.abc import AsyncIterator
from http import HTTPStatus

from tests.scripted.answer import Answer, as_json, refusal
from tests.scripted.contents import Contents, Document, Stock, is_digest
from tests.scripted.received_request import ReceivedRequest


async def answer_manifest(
    contents: Contents,
    asked: ReceivedRequest,
    repository: str,
    reference: str,
    body: AsyncIterator[bytes],
    *,
    base: str,
) -> Answer:
    """HEAD, GET, PUT, and DELETE by digest."""
    if asked.method == "PUT":
        pushed = Document(
            media_type=asked.headers.get("content-type", ""), body=b"".join([part async for part in body])
        )
        return _push(contents, repository, reference, pushed, base)
    stock = contents.find(repository)
    if asked.method == "DELETE":
        return _delete(stock, reference)
    found = stock.find(reference)
    if found is None:
        return refusal(HTTPStatus.NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown")
    headers = {"Content-Type": found.media_type, "Docker-Content-Digest": found.digest, "Etag": f'"{found.digest}"'}
    return Answer(headers=headers, body=found.body)


def answer_tags(contents: Contents, asked: ReceivedRequest, repository: str) -> Answer:
    """List the tags in order; with `n`, a page of them and a Link to the next."""
    if repository not in contents.repositories:
        return refusal(HTTPStatus.NOT_FOUND, "NAME_UNKNOWN", "repository name not known to registry")
    last, size = asked.parameter("last") or "", asked.parameter("n")
    tags = sorted(tag for tag in contents.find(repository).tags if tag > last)
    page = tags[: int(size)] if size else tags
    listed = as_json({"name": repository, "tags": page or None})
    if len(page) == len(tags):
        return listed
    link = f'</v2/{repository}/tags/list?n={size}&last={page[-1]}>; rel="next"'
    return Answer(headers={**listed.headers, "Link": link}, body=listed.body)


def _push(contents: Contents, repository: str, reference: str, pushed: Document, base: str) -> Answer:
    stock = contents.stock(repository)
    try:
        missing = [blob for blob in pushed.blobs() if blob not in stock.blobs]
        missing += [child for child in pushed.children() if child not in stock.manifests]
    except (ValueError, KeyError, AttributeError, TypeError):
        return refusal(HTTPStatus.BAD_REQUEST, "MANIFEST_INVALID", "manifest invalid")
    if is_digest(reference) and reference != pushed.digest:
        return refusal(HTTPStatus.BAD_REQUEST, "DIGEST_INVALID", "provided digest did not match uploaded content")
    if missing:
        errors = [{"code": "MANIFEST_BLOB_UNKNOWN", "detail": {"digest": digest}} for digest in missing]
        return as_json({"errors": errors}, HTTPStatus.BAD_REQUEST)
    keep(stock, reference, pushed)
    headers = {"Location": f"{base}/v2/{repository}/manifests/{pushed.digest}", "Docker-Content-Digest": pushed.digest}
    return Answer(status=HTTPStatus.CREATED, headers=headers)


def keep(stock: Stock, reference: str, document: Document) -> None:
    """Store a manifest under its digest, and under the reference if that is a tag."""
    stock.manifests[document.digest] = document
    if not is_digest(reference):
        stock.tags[reference] = document.digest


def _delete(stock: Stock, reference: str) -> Answer:
    if not is_digest(reference):
        return refusal(HTTPStatus.METHOD_NOT_ALLOWED, "UNSUPPORTED", "the operation is unsupported")
    if stock.manifests.pop(reference, None) is None:
        return refusal(HTTPStatus.NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown")
    stock.tags = {tag: digest for tag, digest in stock.tags.items() if digest != reference}
    return Answer(status=HTTPStatus.ACCEPTED)
