"""Ways in which a source can serve wrong content, as rules of a scripted registry."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from deploy.local.images.image import Blob, Image
from tests.scripted.connection import Ending
from tests.scripted.registry import ScriptedRegistry
from tests.scripted.rule import Rule

# Additional bytes, and the number of missing bytes.
MORE = b"more"
FEWER = 7


@dataclass(frozen=True, kw_only=True)
class Victim:
    """An image in a repository of a scripted registry."""

    registry: ScriptedRegistry
    repository: str
    image: Image

    @property
    def layers(self) -> tuple[Blob, ...]:
        return tuple(sorted(self.image.blobs, key=lambda blob: blob.size)[1:])

    @property
    def config(self) -> Blob:
        return min(self.image.blobs, key=lambda blob: blob.size)

    def on_blob(self, blob: Blob) -> Rule:
        return self.registry.on("GET", f"/v2/{self.repository}/blobs/{blob.digest}")

    def on_manifest(self, digest: str) -> Rule:
        return self.registry.on("GET", f"/v2/{self.repository}/manifests/{digest}")


Lie = Callable[[Victim, random.Random], object]
BlobLie = Callable[[Rule, bytes, random.Random], object]


def _flip(rule: Rule, content: bytes, rng: random.Random) -> object:
    return rule.corrupt(rng.randrange(len(content)))


def _first_bit(rule: Rule, content: bytes, _rng: random.Random) -> object:
    return rule.change(lambda answer: replace(answer, body=bytes([content[0] ^ 1]) + content[1:]))


def _last_bit(rule: Rule, content: bytes, _rng: random.Random) -> object:
    return rule.change(lambda answer: replace(answer, body=content[:-1] + bytes([content[-1] ^ 1])))


def _shorter(rule: Rule, content: bytes, rng: random.Random) -> object:
    return rule.truncate(rng.randrange(len(content)))


def _ends_early(rule: Rule, content: bytes, rng: random.Random) -> object:
    return rule.cut_after(rng.randrange(len(content)), Ending.CLOSE)


def _longer(rule: Rule, content: bytes, _rng: random.Random) -> object:
    return rule.change(lambda answer: replace(answer, body=content + MORE))


def _longer_in_chunks(rule: Rule, content: bytes, _rng: random.Random) -> object:
    return rule.change(lambda answer: replace(answer, body=content + MORE)).send_chunked()


def _length_too_small(rule: Rule, content: bytes, _rng: random.Random) -> object:
    return rule.state_length(len(content) - FEWER)


def _length_too_large(rule: Rule, content: bytes, _rng: random.Random) -> object:
    return rule.state_length(len(content) + FEWER).close().cut_after(len(content), Ending.CLOSE)


def _another(rule: Rule, content: bytes, rng: random.Random) -> object:
    return rule.change(lambda answer: replace(answer, body=rng.randbytes(len(content))))


def _compressed(rule: Rule, content: bytes, _rng: random.Random) -> object:
    packed = rule.change(lambda answer: replace(answer, body=gzip.compress(content, mtime=0)))
    return packed.set_header("Content-Encoding", "gzip")


BLOB_LIES: Mapping[str, BlobLie] = {
    "a bit flipped": _flip,
    "first bit flipped": _first_bit,
    "last bit flipped": _last_bit,
    "shorter": _shorter,
    "ends early": _ends_early,
    "longer": _longer,
    "longer, in chunks": _longer_in_chunks,
    "length too small": _length_too_small,
    "length too large": _length_too_large,
    "other bytes": _another,
    "compressed on the way": _compressed,
}


def _manifest_flipped(victim: Victim, rng: random.Random) -> object:
    body = victim.image.children[0].body
    return victim.on_manifest(victim.image.children[0].digest).corrupt(rng.randrange(len(body)))


def _root_flipped(victim: Victim, rng: random.Random) -> object:
    return victim.on_manifest(victim.image.digest).corrupt(rng.randrange(len(victim.image.root.body)))


def _root_is_child(victim: Victim, _rng: random.Random) -> object:
    """Serve another valid manifest under the root's digest."""
    child = victim.image.children[0]
    rule = victim.on_manifest(victim.image.digest)
    return rule.change(lambda answer: replace(answer, body=child.body)).set_header("Content-Type", child.media_type)


def _sizes_lie(victim: Victim, _rng: random.Random) -> object:
    """Serve the child with larger layer sizes, under its old digest."""
    child = victim.image.children[0]
    document = json.loads(child.body)
    for layer in document["layers"]:
        layer["size"] += 1
    return victim.on_manifest(child.digest).change(lambda answer: replace(answer, body=json.dumps(document).encode()))


def _digest_header(victim: Victim, _rng: random.Random) -> object:
    """Return the digest of a missing manifest for the tag."""
    false = "sha256:" + "0" * 64
    rule = victim.registry.on("HEAD", f"/v2/{victim.repository}/manifests/latest")
    return rule.set_header("Docker-Content-Digest", false)


def of_blob(pick: Callable[[Victim], Blob], lie: BlobLie) -> Lie:
    """Return a lie about one of the image's blobs."""

    def apply(victim: Victim, rng: random.Random) -> object:
        blob = pick(victim)
        return lie(victim.on_blob(blob), b"".join(blob.read()), rng)

    return apply


# All lies by name: each content lie about a small layer, a large one and the configuration, and those about manifests.
LIES: Mapping[str, Lie] = {
    **{f"small layer: {name}": of_blob(lambda victim: victim.layers[0], lie) for name, lie in BLOB_LIES.items()},
    **{f"large layer: {name}": of_blob(lambda victim: victim.layers[1], lie) for name, lie in BLOB_LIES.items()},
    **{f"configuration: {name}": of_blob(lambda victim: victim.config, lie) for name, lie in BLOB_LIES.items()},
    "manifest: a bit flipped": _manifest_flipped,
    "index: a bit flipped": _root_flipped,
    "index: another manifest": _root_is_child,
    "manifest: sizes that are not so": _sizes_lie,
    "tag: a digest that is not so": _digest_header,
}


def place(registry: ScriptedRegistry, repository: str, image: Image) -> Victim:
    """Add an image to a scripted registry under the tag `latest`."""
    for blob in image.blobs:
        registry.add_blob(repository, b"".join(blob.read()))
    for child in image.children:
        registry.add_manifest(repository, child.digest, child.body, child.media_type)
    registry.add_manifest(repository, "latest", image.root.body, image.root.media_type)
    return Victim(registry=registry, repository=repository, image=image)
