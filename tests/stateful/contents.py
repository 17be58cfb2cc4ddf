"""The images of all sequences: some share a platform, one is a platform of another."""

from deploy.local.images.image import Image, Manifest
from deploy.local.stack import synthetic_image

_BOTH = synthetic_image("stateful", [300, 200], platforms=("linux/amd64", "linux/arm64"), shared=1)


def _platform(image: Image, manifest: Manifest) -> Image:
    """Return one platform of an image as a separate image."""
    document = manifest.document
    wanted = {document["config"]["digest"], *(layer["digest"] for layer in document["layers"])}
    return Image(root=manifest, children=(), blobs=tuple(blob for blob in image.blobs if blob.digest in wanted))


CONTENTS = (
    synthetic_image("stateful-one", [250], platforms=("linux/amd64",), index=False),
    synthetic_image("stateful-two", [260], platforms=("linux/amd64",), index=False),
    _BOTH,
    # This image shares the platform linux/amd64.
    synthetic_image("stateful", [300, 200], platforms=("linux/amd64", "linux/s390x"), shared=1),
    _platform(_BOTH, _BOTH.children[0]),
)
CHILDREN = {image.digest: frozenset(child.digest for child in image.children) for image in CONTENTS}
