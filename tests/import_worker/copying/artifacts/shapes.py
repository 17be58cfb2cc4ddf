"""Images of every shape that can be imported, by their peculiarity."""

from collections.abc import Callable
from typing import Any

from deploy.local.images.image import DOCKER, OCI, Blob, Image, Manifest, distinct, encode, memory_blob
from deploy.local.images.synthetic import synthetic_image
from tests.import_worker.copying.artifacts.content import artifact, image_of, index_of

# The limit of distribution, of Harbor and of ours, written out: bytes.
LIMIT = 4_194_304
HELM_CONFIG = "application/vnd.cncf.helm.config.v1+json"
HELM_CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
ATTESTATION = {"vnd.docker.reference.type": "attestation-manifest"}


def _single(**more: Any) -> Image:
    return synthetic_image("single", [900, 4_000], platforms=("linux/amd64",), index=False, **more)


def _nested() -> Image:
    """Make an index with an index in it."""
    inner = synthetic_image("inner", [700])
    outer = synthetic_image("outer", [800], platforms=("linux/s390x",))
    platform = outer.root.document["manifests"][0]["platform"]
    root = index_of(inner.root.descriptor(), outer.children[0].descriptor(platform=platform))
    children = (*inner.children, inner.root, *outer.children)
    return Image(root=root, children=children, blobs=distinct((*inner.blobs, *outer.blobs)))


def _attested() -> Image:
    """Make an image as BuildKit pushes it: a platform, and its attestation in the same index."""
    image = synthetic_image("attested", [600], platforms=("linux/amd64",))
    statement = memory_blob("application/vnd.in-toto+json", encode({"predicateType": "https://spdx.dev/Document"}))
    attestation, blobs = artifact(statement, config=memory_blob(OCI.config, encode({"rootfs": {"type": "layers"}})))
    (entry,) = image.root.document["manifests"]
    note = ATTESTATION | {"vnd.docker.reference.digest": image.children[0].digest}
    unknown = {"architecture": "unknown", "os": "unknown"}
    root = index_of(entry, attestation.descriptor(platform=unknown, annotations=note))
    return Image(root=root, children=(*image.children, attestation), blobs=distinct((*image.blobs, *blobs)))


def _helm() -> Image:
    config = memory_blob(HELM_CONFIG, encode({"apiVersion": "v2", "name": "chart", "version": "1.0.0"}))
    return image_of(*artifact(memory_blob(HELM_CHART, b"a chart"), config=config))


def _artifact() -> Image:
    """Make an artifact of no known kind, with the empty config."""
    return image_of(*artifact(memory_blob("application/x-model", b"weights"), artifactType="application/x-model"))


def _without_layers() -> Image:
    """Make an artifact whose only layer is the empty blob itself (image-spec, "Artifacts Usage")."""
    empty = artifact()[1][0]
    return image_of(*artifact(empty, artifactType="application/x-marker", annotations={"a": "b"}))


def _zero_bytes() -> Image:
    return image_of(*artifact(memory_blob(OCI.tar, b""), memory_blob(OCI.tar, b"content"), artifactType="x/zero"))


def _duplicates() -> Image:
    layer, other = memory_blob(OCI.tar, b"twice" * 100), memory_blob(OCI.tar, b"once")
    return image_of(*artifact(layer, other, layer, artifactType="x/twice"))


def padded(size: int) -> Image:
    """Make an image whose manifest has exactly this many bytes."""
    manifest, blobs = artifact(memory_blob(OCI.tar, b"small"), annotations={"padding": ""})
    manifest, blobs = artifact(
        memory_blob(OCI.tar, b"small"), annotations={"padding": "x" * (size - len(manifest.body))}
    )
    return image_of(manifest, blobs)


def foreign() -> tuple[Image, Blob]:
    """Make an image with a layer that no registry holds, and return that layer too."""
    away = memory_blob(FOREIGN_LAYER, b"licensed elsewhere")
    image = _single(types=DOCKER)
    document = image.root.document
    document["layers"].insert(0, away.descriptor() | {"urls": ["https://elsewhere.example/layer"]})
    root = Manifest(media_type=DOCKER.manifest, body=encode(document))
    return Image(root=root, children=(), blobs=image.blobs), away


SHAPES: dict[str, Callable[[], Image]] = {
    "schema 2": lambda: _single(types=DOCKER),
    "manifest list": lambda: synthetic_image("list", [500, 700], types=DOCKER),
    "OCI image": _single,
    "OCI index": lambda: synthetic_image("index", [500, 700]),
    "nested index": _nested,
    "attestations": _attested,
    "Helm chart": _helm,
    "artifact type": _artifact,
    "artifact without layers": _without_layers,
    "zero-byte layer": _zero_bytes,
    "duplicate layers": _duplicates,
    "4 MiB manifest": lambda: padded(LIMIT),
}
