"""Which layer of its image a folder of the older `docker save` form holds, known before the layer is read.

The folder's name is an id of Docker's first image format, made from a small document, the layer's chain id and its
parent. The document stands beside the layer (`json`), so each position can be tried; where none fits, as with other
tools' exports, the layer's position shows at its end, by its digest.
"""

import json
from collections.abc import Sequence
from typing import Any

from shared.oci.digest import Digest

# Go writes these as escapes, so that JSON may stand in HTML.
_ESCAPED_BY_GO = str.maketrans({mark: f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"})


def layer_position(content: bytes, diff_ids: Sequence[Digest]) -> int | None:
    """Return the position of the layer beside this document; None where it does not tell."""
    document = _parsed(content)
    wanted = document.pop("id", None)
    if document.get("parent"):
        document["parent"] = f"sha256:{document['parent']}"
    # Of all layers but the last, the engine names the system only after it has made the id.
    nameless = {key: value for key, value in document.items() if key != "os"}
    for position, chain_id in enumerate(chain_ids(diff_ids)):
        if wanted in {_v1_id(known, chain_id) for known in (document, nameless)}:
            return position
    return None


def chain_ids(diff_ids: Sequence[Digest]) -> Sequence[Digest]:
    """Return each layer's chain id, which names it with all below it (image-spec config.md, "Layer ChainID")."""
    chain: list[Digest] = []
    for diff_id in diff_ids:
        chain.append(Digest.of(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id)
    return chain


def _v1_id(document: dict[str, Any], chain_id: Digest) -> str:
    # Only the outermost keys are in order: what is below them stays as the engine wrote it.
    fields = dict(sorted({**document, "layer_id": str(chain_id)}.items()))
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
    return Digest.of(text.translate(_ESCAPED_BY_GO).encode()).hex


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
