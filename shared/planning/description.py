"""How an image describes itself (image-spec annotations.md)."""

import json
from collections.abc import Sequence

from shared.oci.manifest import Manifest
from shared.planning.image_config import ImageConfig

# The name of the annotation and of the label.
DESCRIPTION = "org.opencontainers.image.description"
# What the API takes as a description, in characters.
MAX_DESCRIPTION_LENGTH = 2000
_LINES = "\n\r\t"


def describe(manifests: Sequence[Manifest], config: ImageConfig) -> str:
    """Return the first description among these manifests' annotations, else the config's label, else nothing."""
    annotations = (json.loads(manifest.content).get("annotations") for manifest in manifests)
    texts = map(_text, (*annotations, config.labels))
    return next(filter(None, texts), "")


def _text(labels: object) -> str:
    """Return the description among these labels, cut to what the API takes; anybody may have written it."""
    text = labels.get(DESCRIPTION) if isinstance(labels, dict) else None
    if not isinstance(text, str):
        return ""
    # Half characters and zero bytes can be written in JSON and stored nowhere; control characters mislead terminals.
    harmless = (character for character in text if character.isprintable() or character in _LINES)
    return "".join(harmless).strip()[:MAX_DESCRIPTION_LENGTH]
