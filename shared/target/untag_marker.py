"""The manifest that a tag is moved to for a moment, in order to take it off a manifest that has to stay.

Registries such as distribution 2.8 delete manifests by digest only, with every tag that points to them. A manifest
that nothing but this one tag can point to may be deleted without harm to another tag. It is the same each time, so
that a deletion that was interrupted after the move recognises its own work.
"""

import json

from shared.oci import media_types
from shared.oci.manifest import Manifest

ANNOTATION = "io.longshore.removed-tag"


def untag_marker(repository: str, tag: str) -> Manifest:
    """Return an index without children, which refers to nothing that would have to be pushed before."""
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [],
        "annotations": {ANNOTATION: f"{repository}:{tag}"},
    }
    return Manifest.parse(json.dumps(document, indent=2).encode(), media_types.OCI_INDEX)
