"""References from one manifest to another: its `subject`, the tag that lists referrers, and cosign's tags.

Sources: image-spec manifest.md; distribution spec 1.1, "Listing Referrers" and "Referrers Tag Schema"; cosign's
SIGNATURE_SPEC.md, which defines where a signature is stored.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest

# The suffixes of cosign's tags: signatures, attestations, SBOMs.
COMPANION_SUFFIXES = (".sig", ".att", ".sbom")
# The tag schema's own limits on the two parts of `<algorithm>-<reference>`, in characters.
_MAX_ALGORITHM = 32
_MAX_ENCODED = 64
# A digest, or the start of one, alone or before any suffix. Case does not matter: Harbor takes both for a signature.
_COMPANION_TAG = re.compile(r"(?:sha256|sha384|sha512|blake3)-(?:[0-9a-f]+(?:\..*)?|[0-9a-f]{12}.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A manifest that refers to `subject`: by its own field, or by its `tag` where it has one (cosign's convention)."""

    subject: Digest
    digest: Digest
    tag: str | None = None

    def __str__(self) -> str:
        return f"{self.tag or self.digest} of {self.subject}"


def subject_of(manifest: Manifest) -> Digest | None:
    """Return the digest that a manifest refers to; None where it has no valid subject."""
    subject = json.loads(manifest.content).get("subject")
    try:
        return Descriptor.from_json(subject).digest
    except ValueError:
        return None


def referrers_tag(subject: Digest) -> str:
    """Return the tag of the index that lists a subject's referrers where the registry has no API for it."""
    return f"{subject.algorithm[:_MAX_ALGORITHM]}-{subject.hex[:_MAX_ENCODED]}"


def companion_tags(subject: Digest) -> tuple[str, ...]:
    """Return cosign's tags for a subject; none for sha512, whose digests are too long for a tag."""
    if subject.algorithm != "sha256":
        return ()
    return tuple(f"{subject.algorithm}-{subject.hex}{suffix}" for suffix in COMPANION_SUFFIXES)


def is_companion_tag(tag: str) -> bool:
    """Return whether clients take what the tag points to for a part of another image, which the tag names."""
    return _COMPANION_TAG.fullmatch(tag) is not None


def parse_referrers(content: bytes) -> tuple[Descriptor, ...]:
    """Read an index of referrers of any type; raises ValueError."""
    return tuple(Descriptor.from_json(entry) for entry in _entries(_load(content)))


def list_referrers(known: bytes | None, referrers: Sequence[Manifest]) -> Manifest | None:
    """Return the known index with these referrers added; None where it already lists them.

    All other content of the known index stays unchanged; raises ValueError where it is invalid.
    """
    document = _load(known) if known else _empty_index()
    listed = {entry.get("digest") for entry in _entries(document)}
    lacking = {str(each.digest): each for each in referrers if str(each.digest) not in listed}
    if not lacking:
        return None
    return _index(document, [*_entries(document), *map(_entry, lacking.values())])


def without_entries(index: Manifest, gone: Iterable[Digest]) -> Manifest:
    """Return the index without the entries of these digests."""
    document = _load(index.content)
    dropped = set(map(str, gone))
    return _index(document, [entry for entry in _entries(document) if entry.get("digest") not in dropped])


def _index(document: dict[str, Any], entries: Sequence[dict[str, Any]]) -> Manifest:
    """Return an index of referrers; it may exceed the limits of an image index, and is never parsed as one."""
    content = json.dumps({**document, "manifests": entries}, separators=(",", ":")).encode()
    return Manifest(media_type=media_types.OCI_INDEX, content=content, digest=Digest.of(content))


def _entry(manifest: Manifest) -> dict[str, Any]:
    """Return a referrer's entry per the specification: without an `artifactType`, it has the config's media type."""
    document = json.loads(manifest.content)
    artifact_type = document.get("artifactType") or (manifest.config.media_type if manifest.config else None)
    entry = {
        "mediaType": manifest.media_type,
        "digest": str(manifest.digest),
        "size": manifest.size,
        "artifactType": artifact_type,
        "annotations": document.get("annotations"),
    }
    return {key: value for key, value in entry.items() if value}


def _empty_index() -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": []}


def _load(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except RecursionError:
        raise ValueError("the list of referrers is nested too deep") from None
    if not isinstance(document, dict):
        raise ValueError("the list of referrers is not a JSON object")
    return document


def _entries(document: dict[str, Any]) -> list[dict[str, Any]]:
    entries = document.get("manifests") or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("the list of referrers has no list of manifests")
    return entries
