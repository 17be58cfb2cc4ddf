"""Documents that are small to send and large to hold: a catalogue for a scripted registry.

Each function puts one document under the tag `latest` of a repository.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from deploy.local.images.image import OCI
from tests.scripted.contents import digest_of
from tests.scripted.registry import ScriptedRegistry

Entry = Mapping[str, object]
Bomb = Callable[[ScriptedRegistry, str], None]

MIB = 1024 * 1024
# The size of the largest documents, just below the limit for a manifest. Bytes.
LARGE = 4 * MIB - 1024
MANY = 250
LAYERS = 1000
NO_CONFIG: Entry = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b"{}"), "size": 2}


def _layer(name: str, size: int = 1) -> Entry:
    return {"mediaType": OCI.tar, "digest": digest_of(name.encode()), "size": size}


def _image(layers: Sequence[Entry], **fields: object) -> bytes:
    return json.dumps(
        {"schemaVersion": 2, "mediaType": OCI.manifest, "config": NO_CONFIG, "layers": layers} | fields
    ).encode()


def _filled(filler: str, end: str = "1") -> bytes:
    """Return a manifest with a list of as many of these values as fit."""
    return _image([]).removesuffix(b"}") + f', "x": [{filler * (LARGE // len(filler))}{end}]}}'.encode()


def _root(body: Callable[[], bytes], media_type: str = OCI.manifest) -> Bomb:
    def add(registry: ScriptedRegistry, repository: str) -> None:
        registry.add_manifest(repository, "latest", body(), media_type)

    return add


def _index(children: Sequence[Entry]) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": OCI.index, "manifests": children}).encode()


def _child(body: bytes, media_type: str = OCI.manifest, size: int | None = None) -> Entry:
    return {"mediaType": media_type, "digest": digest_of(body), "size": len(body) if size is None else size}


def _children(bodies: Callable[[], Sequence[bytes]], *, stated: int | None = None) -> Bomb:
    """Add an index of these manifests, which may state another size than they have."""

    def add(registry: ScriptedRegistry, repository: str) -> None:
        made = bodies()
        for body in made:
            registry.add_manifest(repository, digest_of(body), body, OCI.manifest)
        registry.add_manifest(repository, "latest", _index([_child(body, size=stated) for body in made]), OCI.index)

    return add


def _nested(registry: ScriptedRegistry, repository: str) -> None:
    """Add indexes that have one large manifest each; no index alone exceeds a limit."""
    children = []
    for number in range(8):
        body = _image([], annotations={"a": f"{number}" + "x" * (LARGE // 2)})
        registry.add_manifest(repository, digest_of(body), body, OCI.manifest)
        index = _index([_child(body)])
        registry.add_manifest(repository, digest_of(index), index, OCI.index)
        children.append(_child(index, OCI.index))
    registry.add_manifest(repository, "latest", _index(children), OCI.index)


def _endless(registry: ScriptedRegistry, repository: str) -> None:
    _root(lambda: _image([]))(registry, repository)
    registry.on("GET", f"/v2/{repository}/manifests/.*").send_endlessly()


def _config(make: Callable[[], bytes]) -> Bomb:
    """Add an image whose only large part is its config: it can be imported."""

    def add(registry: ScriptedRegistry, repository: str) -> None:
        content = make()
        registry.add_blob(repository, content)
        config = {"mediaType": OCI.config, "digest": digest_of(content), "size": len(content)}
        _root(lambda: _image([], config=config))(registry, repository)

    return add


def _many_layers(images: int, *, shared: bool) -> Callable[[], Sequence[bytes]]:
    def bodies() -> Sequence[bytes]:
        own = ["" if shared else f"{image} " for image in range(images)]
        return [
            _image([_layer(f"{own[image]}{number}") for number in range(LAYERS)], annotations={"n": str(image)})
            for image in range(images)
        ]

    return bodies


def _claimed_children() -> bytes:
    return _index([{**_layer(str(number), 4 * MIB), "mediaType": OCI.manifest} for number in range(MANY)])


def _texts(start: str, size: int) -> Callable[[], Sequence[bytes]]:
    """Make twelve manifests with one long text each."""
    return lambda: [_image([], annotations={"a": f"{number}{start}" + "x" * size}) for number in range(12)]


def _open(text: str) -> bytes:
    """Return a manifest with values inside of one another, which never end."""
    return _image([]).removesuffix(b"}") + b', "x": ' + text.encode() * 90_000


REFUSED: Mapping[str, Bomb] = {
    "250 children of 4 MiB": _root(_claimed_children, OCI.index),
    "children larger than stated": _children(_texts("", LARGE - 1024), stated=3),
    "wide text in many children": _children(_texts("\U0001f600", MIB // 2)),
    "25,000 blobs": _children(_many_layers(25, shared=False)),
    "35,000 entries of shared blobs": _children(_many_layers(35, shared=True)),
    "nested indexes": _nested,
    "endless": _endless,
    "empty lists": _root(lambda: _filled("[],")),
    "empty objects": _root(lambda: _filled("{},")),
    "small objects": _root(lambda: _filled('{"a":1},')),
    "numbers": _root(lambda: _filled("1,")),
    "a text of wide characters": _root(lambda: _image([], annotations={"a": "\U0001f600" + "x" * (LARGE - 1024)})),
    "one long number": _root(lambda: _filled("1")),
    "deep lists": _root(lambda: _open("[")),
    "deep objects": _root(lambda: _open('{"a":')),
    "a layer of 1 PiB": _root(lambda: _image([_layer("huge", 2**50)])),
    "layers of 64 bits": _root(lambda: _image([_layer(str(number), 2**63 - 1) for number in range(3)])),
    "a size beyond 64 bits": _root(lambda: _image([_layer("huge", 10**30)])),
}
ACCEPTED: Mapping[str, Bomb] = {
    "a config of empty lists": _config(lambda: b'{"x": [' + b"[]," * MIB + b"1]}"),
    "a config of wide text": _config(lambda: json.dumps({"x": "\U0001f600" + "x" * (LARGE - 1024)}).encode()),
}
