"""Finds a layer's position in its image before the layer is read, in exports of the older `docker save` form.

The folder's name is an id of Docker's first image format, computed from a small document, the layer's chain id and its
parent. The document (`json`) precedes the layer, so every position can be tried. If none fits, as with other tools'
exports, the layer's position is known at its end, by its digest.
"""

import json
from collections.abc import Sequence
from typing import Any

from shared.http_client.unreadable import reads_hint
from shared.oci.digest import Digest

# Go escapes these characters, so that JSON can be embedded in HTML.
_ESCAPED_BY_GO = str.maketrans({mark: f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"})


@reads_hint
def layer_position(content: bytes, diff_ids: Sequence[Digest]) -> int | None:
    """Return the position of the layer that this document describes; None if no position fits."""
    document = _parsed(content)
    wanted = document.pop("id", None)
    if document.get("parent"):
        document["parent"] = f"sha256:{document['parent']}"
    # For all layers but the last, the engine adds the operating system after it has computed the id.
    nameless = {key: value for key, value in document.items() if key != "os"}
    for position, chain_id in enumerate(chain_ids(diff_ids)):
        if wanted in {_v1_id(known, chain_id) for known in (document, nameless)}:
            return position
    return None


def chain_ids(diff_ids: Sequence[Digest]) -> Sequence[Digest]:
    """Return the chain id of each layer with all layers below it (image-spec config.md, "Layer ChainID")."""
    chain: list[Digest] = []
    for diff_id in diff_ids:
        chain.append(Digest.of(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id)
    return chain


def _v1_id(document: dict[str, Any], chain_id: Digest) -> str:
    # Only the outermost keys are sorted: nested ones stay in the engine's order.
    fields = dict(sorted({**document, "layer_id": str(chain_id)}.items()))
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
    return Digest.of(text.translate(_ESCAPED_BY_GO).encode()).hex


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
