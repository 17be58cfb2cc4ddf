"""Images in registries of their own whose answers are mutated: as they are sent, or as they are made.

A mutated document that is made has its own digest, and what refers to it has that digest: it passes the digest's check
and reaches the readers behind it. An answer that is mutated as it is sent does not, mostly.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from deploy.local.images.image import OCI
from deploy.local.images.remote import Remote
from deploy.local.processes.scratch import LocalStackError
from tests.faults.content.mutations import mutate_answer, mutate_bytes, mutate_document
from tests.scripted.answer import Answer
from tests.scripted.contents import digest_of
from tests.scripted.registry import ScriptedRegistry
from tests.scripted.rule import Rule
from tests.scripted.tokens import TokenService

# Seconds for the start and the end of one registry.
TIMEOUT = 30.0
# Parts of an image that are mutated as they are made.
MADE = ("configuration", "manifest", "index", "referrer", "layer", "nothing")
# Answers that are mutated as they are sent: method and path behind the repository.
SENT: Mapping[str, tuple[str, str]] = {
    "head of a tag": ("HEAD", "manifests/latest"),
    "head of a digest": ("HEAD", "manifests/sha.*"),
    "manifest": ("GET", "manifests/sha.*"),
    "tag": ("GET", "manifests/latest"),
    "head of a blob": ("HEAD", "blobs/.*"),
    "blob": ("GET", "blobs/.*"),
    "list of tags": ("GET", "tags/list"),
    "list of referrers": ("GET", "referrers/.*"),
}
TOKEN = "token"
PORT = 5_000
REPOSITORY = "fuzz/app"


@dataclass(kw_only=True)
class Case:
    """An image in its own registry; `mutated` counts the answers that differed from a registry's own."""

    registry: ScriptedRegistry
    made: str
    sent: Sequence[str]
    documents: frozenset[str]
    rules: list[Rule] = field(default_factory=list)

    @property
    def reference(self) -> str:
        return f"{self.registry.host}/{REPOSITORY}:latest"

    @property
    def mutated(self) -> int:
        """The number of mutated answers that the registry has sent."""
        by_rules = sum(len(rule.hits) for rule in self.rules)
        ends = tuple(self.documents)
        return by_rules + sum(bool(ends) and asked.path.endswith(ends) for asked in self.registry.asked)


class Farm:
    """Registries on one event loop in another thread, each on an address of its own.

    A rate limit holds for a registry's host: on one address, the first case with a limit would stop all others.
    """

    def __init__(self, rng: random.Random, number: int) -> None:
        network = rng.randrange(2, 255)
        self._addresses = [f"127.{network}.{each // 250}.{each % 250 + 1}" for each in range(number)]
        self._next = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT)
        self._loop.close()

    @property
    def hosts(self) -> Sequence[str]:
        """The hosts of all registries, with their port."""
        return [f"{address}:{PORT}" for address in self._addresses]

    def start(self, registry: ScriptedRegistry) -> None:
        """Start a registry on the next address; after the last one, on the first again."""
        registry.address, registry.port = self._addresses[self._next % len(self._addresses)], PORT
        self._next += 1
        self._run(registry.__aenter__()).result(TIMEOUT)

    def stop(self, registries: Sequence[ScriptedRegistry]) -> None:
        """Stop registries."""
        for ending in [self._run(registry.__aexit__(None, None, None)) for registry in registries]:
            ending.result(TIMEOUT)

    def _run(self, work: Any) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)


def make_case(farm: Farm, rng: random.Random) -> Case:
    """Start a registry with an image of which some answers are mutated."""
    with_tokens = rng.random() < 0.3
    registry = ScriptedRegistry(tokens=TokenService() if with_tokens else None)
    made = rng.choice(MADE)
    documents = _add_image(registry, made, rng)
    sent = rng.sample([*SENT, TOKEN], rng.choice((2, 3, 4) if made == "nothing" else (0, 1, 2, 3)))
    case = Case(registry=registry, made=made, sent=sent, documents=frozenset(documents))
    farm.start(registry)
    for name in sent:
        _mutate_sent(case, name, rng)
    _answer_referrers(case)
    return case


def _mutate_sent(case: Case, name: str, rng: random.Random) -> None:
    own, seed = case.registry.url, rng.getrandbits(32)
    method, path = ("GET", "/token") if name == TOKEN else (SENT[name][0], f"/v2/{REPOSITORY}/{SENT[name][1]}")
    rule = case.registry.on(method, path, times=rng.choice((None, None, None, 1)), after=rng.choice((0, 0, 0, 1)))
    if name == "list of referrers":
        rule.answer_with(lambda _: _referrers_answer(case))
    # The same answer each time, and an end of the connection: a client must not wait for a length that is not so.
    case.rules.append(rule.change(lambda answer: mutate_answer(answer, random.Random(seed), own)).close())


def _answer_referrers(case: Case) -> None:
    case.registry.on("GET", f"/v2/{REPOSITORY}/referrers/.*").answer_with(lambda _: _referrers_answer(case))


def _referrers_answer(case: Case) -> Answer:
    return Answer(headers={"Content-Type": OCI.index}, body=case.registry.contents.find("listed").blobs["listed"])


def _add_image(registry: ScriptedRegistry, made: str, rng: random.Random) -> list[str]:
    """Add an index of two images and a referrer; return the digests of the mutated documents, or `latest`."""
    mutated: list[str] = []

    def changed(part: str, content: bytes, *, document: bool = True) -> bytes:
        if part != made or mutated:
            return content
        content = mutate_document(content, rng) if document else mutate_bytes(content, rng)
        mutated.append(digest_of(content))
        return content

    entries = []
    for platform in ("amd64", "arm64"):
        layer = changed("layer", rng.randbytes(rng.randrange(1, 3_000)), document=False)
        config = changed("configuration", _config(platform, layer))
        body = changed(
            "manifest", _image(_blob(registry, config, OCI.config), [_blob(registry, layer, OCI.tar)], platform)
        )
        registry.add_manifest(REPOSITORY, digest_of(body), body, OCI.manifest)
        entries.append({**_descriptor(body, OCI.manifest), "platform": {"os": "linux", "architecture": platform}})
    index = {"schemaVersion": 2, "mediaType": OCI.index, "manifests": entries, "annotations": {"a": "b"}}
    root = changed("index", json.dumps(index).encode())
    registry.add_manifest(REPOSITORY, "latest", root, OCI.index)
    if made == "index":
        mutated.append("latest")
    _add_referrer(registry, root, changed)
    return mutated


def _add_referrer(registry: ScriptedRegistry, root: bytes, changed: Any) -> None:
    empty = _blob(registry, b"{}", "application/vnd.oci.empty.v1+json")
    document = json.loads(_image(empty, [empty], "sbom")) | {
        "subject": _descriptor(root, OCI.index),
        "artifactType": "a/b",
    }
    body = changed("referrer", json.dumps(document).encode())
    registry.add_manifest(REPOSITORY, digest_of(body), body, OCI.manifest)
    entry = {**_descriptor(body, OCI.manifest), "artifactType": "a/b"}
    listed = json.dumps({"schemaVersion": 2, "mediaType": OCI.index, "manifests": [entry]}).encode()
    registry.contents.stock("listed").blobs["listed"] = listed


def _config(platform: str, layer: bytes) -> bytes:
    labels = {"org.opencontainers.image.description": "fuzzed"}
    document = {
        "os": "linux",
        "architecture": platform,
        "config": {"Labels": labels},
        "created": "2026-11-30T00:00:00Z",
    }
    return json.dumps(document | {"rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]}}).encode()


def _image(config: Mapping[str, Any], layers: Sequence[Mapping[str, Any]], name: str) -> bytes:
    document = {"schemaVersion": 2, "mediaType": OCI.manifest, "config": config, "layers": layers}
    return json.dumps(document | {"annotations": {"name": name}}).encode()


def _blob(registry: ScriptedRegistry, content: bytes, media_type: str) -> Mapping[str, Any]:
    registry.add_blob(REPOSITORY, content)
    return _descriptor(content, media_type)


def _descriptor(content: bytes, media_type: str) -> Mapping[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def is_whole(remote: Remote, repository: str, tag: str) -> bool:
    """Return whether a tag's manifests and blobs are all in the target, each byte for byte what its digest says."""
    try:
        left, seen = [(remote.manifest(repository, tag).digest, True)], set[str]()
        while left:
            digest, is_manifest = left.pop()
            if digest in seen:
                continue
            seen.add(digest)
            content = (
                remote.manifest(repository, digest).body if is_manifest else b"".join(remote.blob(repository, digest))
            )
            algorithm, _, wanted = digest.partition(":")
            if hashlib.new(algorithm, content).hexdigest() != wanted:
                return False
            left += _parts(content) if is_manifest else []
    except LocalStackError:
        return False
    return True


def _parts(content: bytes) -> list[tuple[str, bool]]:
    document = json.loads(content)
    held = [part for part in (document.get("config"), *document.get("layers", ())) if part and not part.get("urls")]
    return [
        *((child["digest"], True) for child in document.get("manifests", ())),
        *((part["digest"], False) for part in held),
    ]
