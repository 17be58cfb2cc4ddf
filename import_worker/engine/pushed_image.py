"""An engine's image whose layers are in the target: its config and a manifest are left, as of any other image."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from import_worker.copying.ends import Download, ProgressBoard
from import_worker.engine.ends import DescribedImage
from import_worker.engine.push_layers import PushedLayers
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.http_client.unreadable import reads_content
from shared.model.progress import LayerProgress
from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import MAX_MANIFEST_SIZE, Manifest

# The list of images in an export, in all of its forms.
CONTENTS = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedImage:
    """Fits `copying.ends.Source`; its layers cannot be read a second time."""

    manifest: Manifest
    config: bytes

    @classmethod
    @reads_content(Code.SOURCE_PROTOCOL_ERROR)
    def of(cls, image: DescribedImage, pushed: PushedLayers) -> "PushedImage":
        """Make the manifest: the image's own config, byte for byte, and its layers as the target holds them.

        Raises `blob_not_found` if the export lacks a layer, and `source_protocol_error` if it holds another image or
        none.
        """
        missing = [diff_id for diff_id in image.diff_ids if diff_id not in pushed.layers]
        if missing:
            raise LongshoreError(Code.BLOB_NOT_FOUND, f"The engine's export lacks the layer {missing[0]}.")
        config = _config(image, pushed.documents)
        return cls(manifest=_manifest(config, [pushed.layers[diff_id] for diff_id in image.diff_ids]), config=config)

    async def fetch_manifest(self, digest: Digest, limit: int = MAX_MANIFEST_SIZE) -> Manifest:  # noqa: ARG002 - the protocol's
        if digest != self.manifest.digest:
            raise LongshoreError(Code.SOURCE_NOT_FOUND, f"The engine's image has no manifest {digest}.")
        return self.manifest

    @asynccontextmanager
    async def open_blob(self, blob: Descriptor, offset: int = 0) -> AsyncIterator[AsyncIterator[bytes]]:
        if self.manifest.config is None or blob.digest != self.manifest.config.digest:
            raise _layer_lost(blob)
        yield _once(self.config[offset:])

    def download_blob(
        self,
        blob: Descriptor,
        offset: int = 0,  # noqa: ARG002 - the protocol's
    ) -> AbstractAsyncContextManager[Download]:
        raise _layer_lost(blob)

    async def has_blob(self, blob: Descriptor) -> bool:  # noqa: ARG002 - the protocol's
        """Return False: an engine confirms nothing, so that its image gets no blob of another project."""
        return False

    def board(self, board: ProgressBoard) -> ProgressBoard:
        """Return the board for the rest of the copy, which hides the layers: they were shown under their diff ids."""
        return _WithoutLayers(board, self.manifest)


class _WithoutLayers:
    def __init__(self, board: ProgressBoard, manifest: Manifest) -> None:
        self._board = board
        self._layers = {layer.digest for layer in manifest.layers}

    def show(self, digest: Digest, layer: LayerProgress) -> None:
        if digest not in self._layers:
            self._board.show(digest, layer)


def _layer_lost(layer: Descriptor) -> LongshoreError:
    """Make the error for a layer that the target lost since it was pushed; the next attempt exports it again."""
    return LongshoreError(Code.TARGET_BLOB_UNKNOWN, f"The target does not have the layer {layer.digest} any more.")


def _config(image: DescribedImage, documents: Mapping[str, bytes]) -> bytes:
    """Return the image's config among the documents, checked to be that of this image."""
    if image.id not in map(Digest.of, documents.values()):
        raise LongshoreError(Code.SOURCE_PROTOCOL_ERROR, f"The engine's export is not of the image {image.id}.")
    wanted = [str(diff_id) for diff_id in image.diff_ids]
    for path in _config_paths(documents.get(CONTENTS, b"[]")):
        config = documents.get(path, b"")
        if _diff_ids(config) == wanted:
            return config
    raise LongshoreError(Code.SOURCE_PROTOCOL_ERROR, "The engine's export has no config with the image's layers.")


def _config_paths(contents: bytes) -> list[str]:
    images = json.loads(contents)
    images = images if isinstance(images, list) else []
    return [str(entry.get("Config")) for entry in images if isinstance(entry, dict)]


def _diff_ids(config: bytes) -> Any:
    document = json.loads(config or b"{}")
    root = document.get("rootfs") if isinstance(document, dict) else None
    return root.get("diff_ids") if isinstance(root, dict) else None


def _manifest(config: bytes, layers: list[Descriptor]) -> Manifest:
    """Return an OCI manifest, the one format that allows every compression of layers."""
    described = Descriptor(media_type=media_types.OCI_CONFIG, digest=Digest.of(config), size=len(config))
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": _json(described),
        "layers": [_json(layer) for layer in layers],
    }
    return Manifest.parse(json.dumps(document, separators=(",", ":")).encode(), media_types.OCI_MANIFEST)


def _json(blob: Descriptor) -> dict[str, Any]:
    return {"mediaType": blob.media_type, "digest": str(blob.digest), "size": blob.size}


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
