"""Reads a registry's responses about manifests, and checks their digests."""

from multidict import CIMultiDictProxy

from shared.http_client.boundary import reads_answer
from shared.http_client.error_body import clean
from shared.http_client.failures import Failure
from shared.http_client.request import Reply, Request
from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import MAX_MANIFEST_SIZE, Manifest
from shared.oci.reference import check_tag

DIGEST_HEADER = "Docker-Content-Digest"
# Digits of a Content-Length that are read: every 64-bit number of bytes has at most so many.
MAX_LENGTH_DIGITS = 19


def check_reference(reference: str) -> Digest | None:
    """Return the digest if the reference is one, None if it is a tag; raises ValueError if it is neither."""
    if ":" in reference:
        return Digest.parse(reference)
    check_tag(reference)
    return None


@reads_answer
def read_descriptor(request: Request, headers: CIMultiDictProxy[str], wanted: Digest | None) -> Descriptor | None:
    """Read the response to a HEAD; None if it lacks a part of a descriptor, so that the manifest must be read.

    Raises if it states another digest than the requested one.
    """
    digest = _stated_digest(headers) or wanted
    media_type, size = _media_type(headers), headers.get("Content-Length", "")
    if digest is None or media_type not in media_types.MANIFESTS or not _is_length(size):
        return None
    if wanted and wanted.algorithm == digest.algorithm and wanted != digest:
        raise request.failed(Failure.MANIFEST_MISMATCH, "names another digest than the requested one", str(digest))
    if int(size) > MAX_MANIFEST_SIZE:
        return None
    return Descriptor(media_type=media_type, digest=digest, size=int(size))


@reads_answer
def read_manifest(request: Request, reply: Reply, wanted: Digest | None) -> Manifest:
    """Read the response to a GET; the bytes must have the requested digest, and the one in the response's header."""
    for digest in (wanted, _stated_digest(reply.headers)):
        if digest and not digest.matches(reply.content):
            raise request.failed(Failure.MANIFEST_MISMATCH, "sent a manifest that is not", str(digest))
    try:
        return Manifest.parse(reply.content, _media_type(reply.headers))
    except ValueError as error:
        reason = clean(str(error))
        raise request.failed(Failure.UNSUPPORTED, "sent a manifest that cannot be imported", reason) from None


@reads_answer
def check_pushed(request: Request, reply: Reply, manifest: Manifest) -> None:
    """Raise if the response to a push states another digest than that of the pushed manifest."""
    stated = _stated_digest(reply.headers)
    if stated and not stated.matches(manifest.content):
        raise request.failed(Failure.MANIFEST_MISMATCH, "stored the manifest under another digest", str(stated))


def _stated_digest(headers: CIMultiDictProxy[str]) -> Digest | None:
    """Return the digest header; None if it is missing or unreadable, and the content is then checked without it."""
    try:
        return Digest.parse(headers.get(DIGEST_HEADER, ""))
    except ValueError:
        return None


def _is_length(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MAX_LENGTH_DIGITS


def _media_type(headers: CIMultiDictProxy[str]) -> str:
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()
