"""The content of an imported image: reported by the worker, stored with the image."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageContent:
    """The image that the target serves. `size` is in bytes, of all distinct blobs and manifests.

    `digest` is the digest that the tag points to, `source_digest` that of the image it was made from. `referrers` is
    the number of artifacts that were imported with the image and refer to it; `note` names those that were left out.
    """

    source_digest: str
    digest: str
    size: int
    architecture: str
    os: str
    platforms: tuple[str, ...]
    include_type: str
    description: str = ""
    referrers: int = 0
    note: str = ""
