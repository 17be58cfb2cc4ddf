"""Mutated answers to each request of the clients of registries and of Harbor: each ends in a result or in a code."""

import inspect
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.harbor.artifacts import Artifacts
from shared.harbor.client import Harbor, open_harbor
from shared.harbor.projects import Projects
from shared.model.credential import Credential
from shared.network.policy import NetworkPolicy
from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.registry.repository import Repository
from shared.registry.uploads import UploadSession
from tests.faults.content.mutations import mutate_answer
from tests.scripted.answer import Answer, as_json
from tests.scripted.registry import ScriptedRegistry
from tests.shared.bulk_bodies import Bytes
from tests.shared.fixtures import Opener

# Mutated answers for each method.
TRIES = 40
NAME = "team/app"
BLOB = Descriptor(media_type=media_types.OCI_LAYER, digest=Digest.of(b"layer"), size=5)
CONTENT = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": {"mediaType": media_types.OCI_CONFIG, "digest": str(Digest.of(b"{}")), "size": 2},
        "layers": [{"mediaType": BLOB.media_type, "digest": str(BLOB.digest), "size": 5}],
    }
).encode()
MANIFEST = Manifest.parse(CONTENT, media_types.OCI_MANIFEST)
LIST = json.dumps({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": []}).encode()
PROJECT = {"name": "team", "repo_count": 1, "quota": {"hard": {"storage": 5}, "used": {"storage": 1}}}
REPOSITORY = {"name": NAME, "artifact_count": 1}
ARTIFACT = {
    "digest": str(MANIFEST.digest),
    "tags": [{"name": "1", "push_time": "2026-11-30T00:00:00.000Z"}],
    "status": "healthy",
    "components": [{"name": "core", "status": "healthy"}],
    "total_project_count": 1,
    "total_storage_consumption": 7,
}


async def chunks() -> AsyncIterator[bytes]:
    yield b"layer"


# Arguments by the names of parameters: a method with another parameter needs one here.
ARGUMENTS: dict[str, Callable[[], Any]] = {
    "reference": lambda: "1",
    "manifest": lambda: MANIFEST,
    "digest": lambda: MANIFEST.digest,
    "subject": lambda: MANIFEST.digest,
    "tag": lambda: "1",
    "blob": lambda: BLOB,
    "from_repository": lambda: "team/other",
    "content": lambda: b"layer",
    "body": lambda: Bytes(b"layer"),
    "chunks": chunks,
    "offset": lambda: 0,
    "name": lambda: "team",
    "project": lambda: "team",
    "repository": lambda: "app",
}


def methods(*classes: type) -> list[tuple[type, str]]:
    """Return the public methods that make requests."""
    return [
        (each, name)
        for each in classes
        for name, method in inspect.getmembers(each, inspect.isfunction)
        if not name.startswith("_")
        and (inspect.iscoroutinefunction(method) or "AsyncIterator" in str(inspect.signature(method).return_annotation))
    ]


async def call(owner: object, name: str, session: UploadSession) -> None:
    """Call a method with fitting arguments, and read what it opens or yields."""
    method = getattr(owner, name)
    required = [
        parameter.name
        for parameter in inspect.signature(method).parameters.values()
        if parameter.default is inspect.Parameter.empty
    ]
    arguments: dict[str, Callable[[], Any]] = {
        **ARGUMENTS,
        "session": lambda: session,
        "address": lambda: session.location,
    }
    made = method(**{each: arguments[each]() for each in required})
    if hasattr(made, "__aenter__"):
        async with made as opened:
            if hasattr(opened, "__aiter__"):
                [chunk async for chunk in opened]
    elif hasattr(made, "__aiter__"):
        [entry async for entry in made]
    else:
        await made


async def refused_side(work: Awaitable[None]) -> Side | None:
    """Return the side of the error with a code; every other exception fails the test."""
    try:
        await work
    except LongshoreError as error:
        return error.kind.side
    return None


def mutated(registry: ScriptedRegistry, seed: int) -> None:
    """Mutate one answer or all, the same each time; the connection ends after it."""
    rng = random.Random(seed)
    rule = registry.on(".*", ".*", times=rng.choice((1, None)), after=rng.choice((0, 0, 1)))
    rule.change(lambda answer: mutate_answer(answer, random.Random(seed), registry.url)).close()


@pytest.mark.parametrize(("owner", "name"), methods(Repository), ids=lambda value: getattr(value, "__name__", value))
async def test_no_answer_of_a_registry_is_an_internal_error(opened: Opener, owner: type, name: str) -> None:
    """The target's tags, uploads, manifests and deletions; the patrol looks tags up in the same way."""
    assert owner is Repository
    sides: set[Side | None] = set()
    for seed in range(TRIES):
        async with ScriptedRegistry() as registry:
            registry.add_blob(NAME, b"layer")
            registry.add_blob(NAME, b"{}")
            registry.add_manifest(NAME, "1", LIST if name == "get_referrers_tag" else CONTENT, MANIFEST.media_type)
            session = UploadSession(f"{registry.url}/v2/{NAME}/blobs/uploads/{registry.contents.start(NAME)}")
            mutated(registry, seed)
            client = await opened.loopback(registry.host, side=Side.TARGET)
            repository = client.registry(registry.host).repository(NAME)
            sides.add(await refused_side(call(repository, name, session)))
    assert sides <= {None, Side.TARGET}
    assert Side.TARGET in sides


def harbor_answer(path: str) -> Answer:
    if path.endswith(("/projects", "/repositories", "/tags")):
        return as_json([PROJECT | REPOSITORY])
    return as_json(PROJECT | ARTIFACT)


@pytest.mark.parametrize(
    ("owner", "name"), methods(Harbor, Projects, Artifacts), ids=lambda value: getattr(value, "__name__", value)
)
async def test_no_answer_of_harbor_is_an_internal_error(owner: type, name: str) -> None:
    sides: set[Side | None] = set()
    for seed in range(TRIES):
        async with ScriptedRegistry() as server:
            rng = random.Random(f"{name} {seed}")

            def answer(asked: Any, rng: random.Random = rng, url: str = server.url) -> Answer:
                made = mutate_answer(harbor_answer(asked.path), rng, url)
                return made if rng.random() < 0.8 else replace(harbor_answer(asked.path), status=404)

            server.on(".*", ".*").answer_with(answer).close()
            policy = NetworkPolicy.of(plain_http=[server.host], trusted=True)
            async with open_harbor(policy, server.host, Credential("admin", "password")) as harbor:
                owners = {Harbor: harbor, Projects: harbor.projects, Artifacts: harbor.artifacts("team", "app")}
                sides.add(await refused_side(call(owners[owner], name, UploadSession(""))))
    assert sides <= {None, Side.TARGET}
    assert Side.TARGET in sides
