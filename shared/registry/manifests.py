"""Reads what a registry says of a manifest, and holds it to it."""

from multidict import CIMultiDictProxy

from shared.http_client.error_body import clean
from shared.http_client.failures import Failure
from shared.http_client.request import Reply, Request
from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import MAX_MANIFEST_SIZE, Manifest
from shared.oci.reference import check_tag

DIGEST_HEADER = "Docker-Content-Digest"


def check_reference(reference: str) -> Digest | None:
    """Return the digest that a manifest is asked for by, None for a tag; raises ValueError for neither."""
    if ":" in reference:
        return Digest.parse(reference)
    check_tag(reference)
    return None


def read_descriptor(request: Request, headers: CIMultiDictProxy[str], wanted: Digest | None) -> Descriptor | None:
    """Read a HEAD answer; None where it lacks what a descriptor needs, so that only the manifest itself can tell.

    Raises where it names another digest than the one asked for.
    """
    digest = _stated_digest(headers) or wanted
    media_type, size = _media_type(headers), headers.get("Content-Length", "")
    if digest is None or media_type not in media_types.MANIFESTS or not (size.isascii() and size.isdigit()):
        return None
    if wanted and wanted.algorithm == digest.algorithm and wanted != digest:
        raise request.failed(Failure.MANIFEST_MISMATCH, "names another digest than the one asked for", str(digest))
    if int(size) > MAX_MANIFEST_SIZE:
        return None
    return Descriptor(media_type=media_type, digest=digest, size=int(size))


def read_manifest(request: Request, reply: Reply, wanted: Digest | None) -> Manifest:
    """Read a GET answer; the bytes must have the digest asked for, and the one in the answer's header."""
    for digest in (wanted, _stated_digest(reply.headers)):
        if digest and not digest.matches(reply.content):
            raise request.failed(Failure.MANIFEST_MISMATCH, "sent a manifest that is not", str(digest))
    try:
        return Manifest.parse(reply.content, _media_type(reply.headers))
    except ValueError as error:
        reason = clean(str(error))
        raise request.failed(Failure.UNSUPPORTED, "sent a manifest that cannot be imported", reason) from None


def check_pushed(request: Request, reply: Reply, manifest: Manifest) -> None:
    """Hold the answer to a push to the digest of what was pushed."""
    stated = _stated_digest(reply.headers)
    if stated and not stated.matches(manifest.content):
        raise request.failed(Failure.MANIFEST_MISMATCH, "took the manifest for another one", str(stated))


def _stated_digest(headers: CIMultiDictProxy[str]) -> Digest | None:
    """Return the digest header; one that cannot be read says nothing, and the content is judged without it."""
    try:
        return Digest.parse(headers.get(DIGEST_HEADER, ""))
    except ValueError:
        return None


def _media_type(headers: CIMultiDictProxy[str]) -> str:
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()
