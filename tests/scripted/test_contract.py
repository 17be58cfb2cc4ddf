"""Compares the scripted registry with a real one: both must answer the same requests equally.

The tests compare the facts that a client may rely on: status, the specification's headers, error codes and bodies.
Debian's docker-registry 2.8 deviates from the specification (it ignores Content-Range, pages and lost sessions). There
the specification counts, in separate tests.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from deploy.local.stack import Registry as RegistryServer
from shared.errors.codes import Side
from shared.network.policy import NetworkPolicy
from shared.registry.client import open_registries
from tests.scripted.contents import digest_of
from tests.scripted.registry import ScriptedRegistry
from tests.shared.content import described, manifest_of, noise, read

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
CONTENT = noise(100_000, 11)
DIGEST = digest_of(CONTENT)
OTHER = digest_of(b"other")
COMPARED = ("Content-Type", "Content-Length", "Content-Range", "Docker-Content-Digest", "Location", "Range", "Etag")
Answers = list[tuple[str, int, dict[str, str], Any]]


class Caller:
    """Sends requests to one registry, and records its answers without the parts that differ between registries."""

    def __init__(self, http: aiohttp.ClientSession, base: str, name: str) -> None:
        self.base = f"{base}/v2"
        self.name = name
        self.answers: Answers = []
        self._http = http

    async def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> dict[str, str]:
        """Request a path below the repository, or a whole address; return the headers of the answer."""
        url = path if path.startswith("http") else f"{self.base}/{self.name}/{path}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._http.request(method, url, data=body, headers=named, allow_redirects=False) as response:
            content = await response.read()
            said = {name: self._plain(response.headers[name]) for name in COMPARED if name in response.headers}
            if response.status >= 400 and method != "HEAD":
                # The texts of errors differ, and so do their length and the spelling of their media type.
                said, content = {}, b",".join(error["code"].encode() for error in json.loads(content)["errors"])
            if response.content_type == "application/json" and not said.get("Docker-Content-Digest"):
                said.pop("Content-Length", None)
                said.pop("Content-Type", None)
            self.answers.append((f"{method} {self._plain(path)}", response.status, said, self._said(content)))
            return dict(response.headers)

    async def session(self, query: str = "") -> str:
        """Open an upload session; return its address."""
        return (await self.ask("POST", f"blobs/uploads/{query}"))["Location"]

    def _said(self, content: bytes) -> object:
        """Return the body; of a list of tags the sorted tags, since docker-registry does not sort them."""
        try:
            document = json.loads(content)
        except ValueError:
            return self._plain(content)
        if isinstance(document, dict) and "tags" in document:
            return sorted(document["tags"] or [])
        return self._plain(content)

    def _plain(self, said: str | bytes) -> str:
        text = said.decode("latin-1") if isinstance(said, bytes) else said
        text = text.replace(self.base, "").replace(self.name, "NAME")
        text = re.sub(r"(uploads/)[0-9a-f-]{32,36}", r"\1SESSION", text)
        return re.sub(r"_state=[\w%=-]+", "_state=STATE", text)


async def blobs(caller: Caller) -> None:
    """Push a blob in a single PUT, check it, read all and parts of it, and request a missing blob."""
    await caller.ask("HEAD", f"blobs/{DIGEST}")
    await caller.ask("GET", f"blobs/{DIGEST}")
    location = await caller.session()
    await caller.ask("PUT", f"{location}&digest={DIGEST}", CONTENT, Content_Type="application/octet-stream")
    await caller.ask("HEAD", f"blobs/{DIGEST}")
    await caller.ask("GET", f"blobs/{DIGEST}")
    for wanted in ("bytes=0-0", "bytes=10-99999", "bytes=99999-99999", "bytes=500-"):
        await caller.ask("GET", f"blobs/{DIGEST}", Range=wanted)
    await caller.ask("GET", f"blobs/{OTHER}")


async def sessions(caller: Caller) -> None:
    """Push a blob in chunks, request the offset, commit a wrong digest, and cancel a session."""
    location = await caller.session()
    await caller.ask("GET", location)
    for piece in (CONTENT[:60_000], CONTENT[60_000:]):
        location = (await caller.ask("PATCH", location, piece, Content_Type="application/octet-stream"))["Location"]
        await caller.ask("GET", location)
    await caller.ask("PUT", f"{location}&digest={DIGEST}")
    await caller.ask("HEAD", f"blobs/{DIGEST}")
    for digest in (OTHER, "sha256:short"):
        location = await caller.session()
        await caller.ask("PUT", f"{location}&digest={digest}", CONTENT)
    location = await caller.session()
    await caller.ask("DELETE", location)
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        await caller.ask(method, location)


async def mounts(caller: Caller) -> None:
    """Mount an existing and a missing blob of another repository."""
    own, caller.name = caller.name, f"{caller.name}/neighbour"
    location = await caller.session()
    await caller.ask("PUT", f"{location}&digest={DIGEST}", CONTENT)
    neighbour, caller.name = caller.name, own
    await caller.ask("POST", f"blobs/uploads/?mount={DIGEST}&from={neighbour}")
    await caller.ask("HEAD", f"blobs/{DIGEST}")
    await caller.ask("POST", f"blobs/uploads/?mount={OTHER}&from={neighbour}")
    await caller.ask("POST", f"blobs/uploads/?mount={OTHER}&from=no/such")


async def manifests(caller: Caller) -> None:
    """Push, check, read, list and delete manifests, also missing and invalid ones."""
    for path in ("manifests/1", f"manifests/{OTHER}", "tags/list"):
        await caller.ask("GET", path)
    await caller.ask("HEAD", "manifests/1")
    manifest = manifest_of(b"config", b"layer")
    await caller.ask("PUT", "manifests/1", manifest.content, Content_Type=OCI_MANIFEST)
    for content in (b"config", b"layer"):
        location = await caller.session()
        await caller.ask("PUT", f"{location}&digest={digest_of(content)}", content)
    for reference in ("1", "2", str(manifest.digest)):
        await caller.ask("PUT", f"manifests/{reference}", manifest.content, Content_Type=OCI_MANIFEST)
    await caller.ask("PUT", f"manifests/{OTHER}", manifest.content, Content_Type=OCI_MANIFEST)
    await caller.ask("PUT", "manifests/3", b"no json", Content_Type=OCI_MANIFEST)
    for reference in ("1", str(manifest.digest)):
        for method in ("HEAD", "GET"):
            await caller.ask(method, f"manifests/{reference}", Accept=OCI_MANIFEST)
    await caller.ask("GET", "tags/list")
    await caller.ask("DELETE", f"manifests/{manifest.digest}")
    await caller.ask("GET", "manifests/1", Accept=OCI_MANIFEST)
    await caller.ask("DELETE", f"manifests/{manifest.digest}")
    await caller.ask("GET", "tags/list")


async def indexes(caller: Caller) -> None:
    """An index is refused without its children."""
    manifest = manifest_of(b"config", b"layer")
    entry = {"mediaType": OCI_MANIFEST, "digest": str(manifest.digest), "size": manifest.size}
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}).encode()
    await caller.ask("PUT", "manifests/1", index, Content_Type=OCI_INDEX)
    for content in (b"config", b"layer"):
        location = await caller.session()
        await caller.ask("PUT", f"{location}&digest={digest_of(content)}", content)
    await caller.ask("PUT", f"manifests/{manifest.digest}", manifest.content, Content_Type=OCI_MANIFEST)
    await caller.ask("PUT", "manifests/1", index, Content_Type=OCI_INDEX)
    await caller.ask("GET", "manifests/1", Accept=OCI_INDEX)


@pytest.mark.parametrize("story", [blobs, sessions, mounts, manifests, indexes])
async def test_both_answer_the_same(
    http: aiohttp.ClientSession, target_registry: RegistryServer, repository: str, story: Callable[[Caller], Any]
) -> None:
    """Both registries get the same requests."""
    async with ScriptedRegistry() as scripted:
        callers = [Caller(http, base, repository) for base in (target_registry.url, scripted.url)]
        for caller in callers:
            await story(caller)
    real, played = (caller.answers for caller in callers)
    assert len(real) > 3
    for answer, same in zip(real, played, strict=True):
        assert same == answer


async def test_longshores_client_sees_no_difference(target_registry: RegistryServer, repository: str) -> None:
    """The product's operations: push, mount, look up, read from an offset, list and delete."""

    async def story(host: str) -> list[object]:
        policy = NetworkPolicy.of(plain_http=[host], trusted=True)
        async with open_registries(policy, Side.TARGET) as registries:
            there = registries.registry(host).repository(repository)
            manifest = manifest_of(b"config", CONTENT)
            seen: list[object] = [await there.find_manifest("1"), await there.list_tags()]
            for content in (b"config", CONTENT):
                await there.put_blob(await there.start_upload(), described(content), content)
            await there.put_manifest("1", manifest)
            second = registries.registry(host).repository(f"{repository}/second")
            seen += [await second.mount_blob(described(CONTENT), repository)]
            seen += [await there.has_blob(described(CONTENT)), await second.has_blob(described(b"config"))]
            seen += [await there.find_manifest("1"), await there.get_manifest(str(manifest.digest))]
            seen += [await read(second, described(CONTENT), 99_000), await there.list_tags()]
            await there.delete_manifest(manifest.digest)
            return [*seen, await there.find_manifest("1")]

    async with ScriptedRegistry() as scripted:
        assert await story(scripted.host) == await story(target_registry.host)


# Behaviour of the specification that docker-registry 2.8 lacks.


async def test_chunks_out_of_order_are_refused(http: aiohttp.ClientSession) -> None:
    """The answer is 416, and the session is unchanged (spec, "Pushing a blob in chunks")."""
    async with ScriptedRegistry() as scripted:
        caller = Caller(http, scripted.url, "team/app")
        location = await caller.session()
        await caller.ask("PATCH", location, b"abc", Content_Range="0-2")
        async with http.patch(location, data=b"xyz", headers={"Content-Range": "9-11"}) as response:
            assert (response.status, response.headers["Range"]) == (416, "0-2")
        await caller.ask("PATCH", location, b"def", Content_Range="3-5")
        assert caller.answers[-1][2]["Range"] == "0-5"


async def test_a_session_keeps_what_came_before_a_cut(http: aiohttp.ClientSession) -> None:
    """As in distribution 3, the upload continues at the offset that the registry reports."""
    async with ScriptedRegistry() as scripted:
        scripted.on("PATCH", ".*", times=1).cut_after(40_000)
        caller = Caller(http, scripted.url, "team/app")
        location = await caller.session()
        with pytest.raises(aiohttp.ClientError):
            await caller.ask("PATCH", location, CONTENT)
        assert (await caller.ask("GET", location))["Range"] == "0-39999"
        await caller.ask("PUT", f"{location}&digest={DIGEST}", CONTENT[40_000:])
        assert scripted.blob("team/app", DIGEST) == CONTENT


async def test_tags_come_in_pages_with_a_link(http: aiohttp.ClientSession) -> None:
    """See the specification, "Listing Tags"."""
    async with ScriptedRegistry() as scripted:
        for tag in ("c", "a", "b"):
            scripted.add_manifest("team/app", tag, b"{}", OCI_MANIFEST)
        caller = Caller(http, scripted.url, "team/app")
        link = (await caller.ask("GET", "tags/list?n=2"))["Link"]
        assert caller.answers[-1][3] == ["a", "b"]
        assert link == '</v2/team/app/tags/list?n=2&last=b>; rel="next"'
        assert "Link" not in await caller.ask("GET", "tags/list?n=2&last=b")
        assert caller.answers[-1][3] == ["c"]
