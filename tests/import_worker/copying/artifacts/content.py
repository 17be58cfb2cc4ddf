"""Artifacts of every kind that registries hold, written without the product's code."""

from typing import Any

from deploy.local.images.image import OCI, Blob, Image, Manifest, distinct, encode, memory_blob

EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
SBOM_TYPE = "application/spdx+json"
SIGNATURE_TYPE = "application/vnd.dev.cosign.artifact.sig.v1+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
COSIGN_SIGNATURE = "dev.cosignproject.cosign/signature"


def empty_config() -> Blob:
    """Make the config of artifacts that have none (image-spec manifest.md, "Guidance for an Empty Descriptor")."""
    return memory_blob(EMPTY_TYPE, b"{}")


def artifact(
    *layers: Blob, config: Blob | None = None, subject: Manifest | None = None, **more: object
) -> tuple[Manifest, tuple[Blob, ...]]:
    """Make an OCI manifest of any kind, with its blobs; `more` are further fields of it."""
    config = config or empty_config()
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI.manifest,
        "config": config.descriptor(),
        "layers": [layer.descriptor() for layer in layers],
        **({"subject": subject.descriptor()} if subject else {}),
        **more,
    }
    return Manifest(media_type=OCI.manifest, body=encode(document)), distinct((config, *layers))


def image_of(manifest: Manifest, blobs: tuple[Blob, ...], *children: Manifest) -> Image:
    return Image(root=manifest, children=children, blobs=blobs)


def index_of(*children: dict[str, Any], **more: object) -> Manifest:
    document = {"schemaVersion": 2, "mediaType": OCI.index, "manifests": list(children), **more}
    return Manifest(media_type=OCI.index, body=encode(document))


def sbom_of(subject: Manifest, text: str = "packages") -> tuple[Manifest, tuple[Blob, ...]]:
    """Make an SBOM that names its subject."""
    layer = memory_blob(SBOM_TYPE, encode({"packages": text, "of": subject.digest}))
    return artifact(layer, subject=subject, artifactType=SBOM_TYPE, annotations={"made.by": text})


def signature_of(subject: Manifest, signer: str = "release") -> tuple[Manifest, tuple[Blob, ...]]:
    """Make a signature that names its subject."""
    layer = memory_blob(SIMPLE_SIGNING, encode({"critical": subject.digest}))
    return artifact(layer, subject=subject, artifactType=SIGNATURE_TYPE, annotations={"signer": signer})


def cosign_signature(subject: Manifest, *signers: str) -> tuple[Manifest, tuple[Blob, ...]]:
    """Make the manifest that cosign puts under `sha256-….sig`: a payload, and a layer with an annotation per signer."""
    payload = memory_blob(SIMPLE_SIGNING, encode({"critical": {"image": subject.digest}}))
    config = memory_blob(OCI.config, encode({"rootfs": {"type": "layers"}, "of": subject.digest}))
    document = {
        "schemaVersion": 2,
        "mediaType": OCI.manifest,
        "config": config.descriptor(),
        "layers": [payload.descriptor() | {"annotations": {COSIGN_SIGNATURE: signer}} for signer in signers],
    }
    return Manifest(media_type=OCI.manifest, body=encode(document)), (config, payload)


def cosign_tag(subject: Manifest, suffix: str = "sig") -> str:
    return f"{subject.digest.replace(':', '-')}.{suffix}"


def fallback_tag(subject: Manifest) -> str:
    return subject.digest.replace(":", "-")


def listing_of(*referrers: Manifest) -> Manifest:
    """Make the index of the referrers tag schema."""
    entries = [
        each.descriptor(artifactType=each.document["artifactType"], annotations=each.document["annotations"])
        for each in referrers
    ]
    return index_of(*entries)


def listed(index: Manifest | None) -> set[str]:
    """Return the digests that an index lists; none if there is no index."""
    return {entry["digest"] for entry in index.document["manifests"]} if index else set()
