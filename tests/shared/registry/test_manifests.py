"""Manifests are read, checked and pushed; against docker-registry and a server that lies."""

import json

import pytest

from deploy.local.stack import Registry as RegistryServer
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.oci import media_types
from shared.oci.digest import Digest
from shared.oci.manifest import MAX_MANIFEST_SIZE, Manifest
from tests.scripted.hostile import Answer, HostileRegistry, error
from tests.shared.content import manifest_of, push
from tests.shared.fixtures import Opener

MANIFEST = manifest_of(b"config", b"layer")
PATH = "/v2/team/app/manifests/1"
STATED = {"Content-Type": media_types.OCI_MANIFEST, "Docker-Content-Digest": str(MANIFEST.digest)}
WHOLE = Answer(headers=STATED, body=MANIFEST.content)
OTHER = Digest.of(b"another manifest")


def by_digest(digest: Digest = MANIFEST.digest) -> str:
    return f"/v2/team/app/manifests/{digest}"


async def test_a_pushed_manifest_is_found_and_read_back_byte_for_byte(
    opened: Opener, target_registry: RegistryServer, repository: str
) -> None:
    """Spec end-7, end-3: by tag and by digest, HEAD and GET agree."""
    registries = await opened.loopback(target_registry.host, side=Side.TARGET)
    there = registries.registry(target_registry.host).repository(repository)
    for content in (b"config", b"layer"):
        await push(there, content)
    await there.put_manifest("1", MANIFEST)
    assert await there.get_manifest("1") == MANIFEST
    assert await there.get_manifest(str(MANIFEST.digest)) == MANIFEST
    found = await there.head_manifest("1")
    assert (found.digest, found.size, found.media_type) == (MANIFEST.digest, MANIFEST.size, MANIFEST.media_type)
    assert await there.find_manifest(str(MANIFEST.digest)) == found


async def test_a_manifest_whose_blobs_are_missing_names_that_reason(
    opened: Opener, target_registry: RegistryServer, repository: str
) -> None:
    """MANIFEST_BLOB_UNKNOWN has a separate error code, because the client reacts by sending the blob again."""
    registries = await opened.loopback(target_registry.host, side=Side.TARGET)
    there = registries.registry(target_registry.host).repository(repository)
    with pytest.raises(LongshoreError) as caught:
        await there.put_manifest("1", MANIFEST)
    assert caught.value.code == "target_blob_unknown"
    assert repository in caught.value.detail


async def test_an_index_whose_child_is_missing_names_the_same_reason(
    opened: Opener, target_registry: RegistryServer, repository: str
) -> None:
    """An index refers to manifests as a manifest refers to blobs."""
    entry = {"mediaType": MANIFEST.media_type, "digest": str(MANIFEST.digest), "size": MANIFEST.size}
    document = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": [entry]}
    index = Manifest.parse(json.dumps(document).encode(), media_types.OCI_INDEX)
    registries = await opened.loopback(target_registry.host, side=Side.TARGET)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(target_registry.host).repository(repository).put_manifest("1", index)
    assert caught.value.code == "target_blob_unknown"


async def test_a_deleted_manifest_is_gone_and_deleting_it_again_is_no_error(
    opened: Opener, target_registry: RegistryServer, repository: str
) -> None:
    """Spec end-9: only the outcome counts."""
    registries = await opened.loopback(target_registry.host, side=Side.TARGET)
    there = registries.registry(target_registry.host).repository(repository)
    for content in (b"config", b"layer"):
        await push(there, content)
    await there.put_manifest("1", MANIFEST)
    await there.delete_manifest(MANIFEST.digest)
    assert await there.find_manifest("1") is None
    await there.delete_manifest(MANIFEST.digest)


async def test_what_does_not_exist_is_none_or_an_error_as_asked(
    opened: Opener, target_registry: RegistryServer, repository: str
) -> None:
    """`find_manifest` returns None; `head_manifest` and `get_manifest` raise."""
    registries = await opened.loopback(target_registry.host)
    there = registries.registry(target_registry.host).repository(repository)
    assert await there.find_manifest("1") is None
    for insist in (there.head_manifest, there.get_manifest):
        with pytest.raises(LongshoreError) as caught:
            await insist("1")
        assert caught.value.code == "source_not_found"
        assert f"{repository}:1" in caught.value.detail
        assert target_registry.host in caught.value.detail


async def test_head_alone_resolves_a_tag(opened: Opener, hostile: HostileRegistry) -> None:
    """Docker Hub meters GETs of manifests, not HEADs."""
    hostile.on("HEAD", PATH, WHOLE)
    registries = await opened.loopback(hostile.host)
    found = await registries.registry(hostile.host).repository("team/app").head_manifest("1")
    assert found.digest == MANIFEST.digest
    assert [asked.method for asked in hostile.asked] == ["HEAD"]
    assert hostile.asked[0].headers["accept"] == media_types.ACCEPT_MANIFESTS


@pytest.mark.parametrize(
    "head",
    [
        Answer(headers={"Content-Type": media_types.OCI_MANIFEST}, body=MANIFEST.content),
        Answer(headers={**STATED, "Docker-Content-Digest": "sha256:short"}, body=MANIFEST.content),
        Answer(headers={"Docker-Content-Digest": str(MANIFEST.digest)}, body=MANIFEST.content),
        Answer(headers=STATED, length=None, close=True),
        Answer(status=405),
        Answer(status=501),
    ],
    ids=["no digest", "bad digest", "no type", "no length", "405", "501"],
)
async def test_get_finds_what_head_left_out(opened: Opener, hostile: HostileRegistry, head: Answer) -> None:
    """Registries send different headers with a HEAD; the manifest itself always suffices."""
    hostile.on("HEAD", PATH, head)
    hostile.on("GET", PATH, WHOLE)
    registries = await opened.loopback(hostile.host)
    found = await registries.registry(hostile.host).repository("team/app").head_manifest("1")
    assert (found.digest, found.size, found.media_type) == (MANIFEST.digest, MANIFEST.size, MANIFEST.media_type)


async def test_a_tag_that_neither_head_nor_get_knows_is_none(opened: Opener, hostile: HostileRegistry) -> None:
    """A registry without HEAD answers GET with 404."""
    hostile.on("HEAD", PATH, Answer(status=405))
    hostile.on("GET", PATH, error(404, "MANIFEST_UNKNOWN"))
    registries = await opened.loopback(hostile.host)
    assert await registries.registry(hostile.host).repository("team/app").find_manifest("1") is None


async def test_content_type_parameters_are_no_part_of_the_type(opened: Opener, hostile: HostileRegistry) -> None:
    """RFC 9110, section 8.3: `type/subtype; charset=utf-8`."""
    headers = {**STATED, "Content-Type": f"{media_types.OCI_MANIFEST}; charset=utf-8"}
    hostile.on("GET", PATH, Answer(headers=headers, body=MANIFEST.content))
    hostile.on("HEAD", PATH, Answer(headers=headers, body=MANIFEST.content))
    registries = await opened.loopback(hostile.host)
    there = registries.registry(hostile.host).repository("team/app")
    assert await there.get_manifest("1") == MANIFEST
    assert (await there.head_manifest("1")).media_type == media_types.OCI_MANIFEST


@pytest.mark.parametrize("side", [Side.SOURCE, Side.TARGET])
async def test_bytes_that_are_not_the_digest_asked_for_are_refused(
    opened: Opener, hostile: HostileRegistry, side: Side
) -> None:
    """The digest covers the exact bytes; a lying registry's header may even state the requested digest."""
    headers = {"Content-Type": media_types.OCI_MANIFEST}
    hostile.on("GET", by_digest(OTHER), Answer(headers=headers, body=MANIFEST.content))
    registries = await opened.loopback(hostile.host, side=side)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(hostile.host).repository("team/app").get_manifest(str(OTHER))
    expected = {Side.SOURCE: "manifest_digest_mismatch", Side.TARGET: "target_digest_mismatch"}
    assert caught.value.code == expected[side]


async def test_bytes_that_are_not_the_digest_stated_are_refused(opened: Opener, hostile: HostileRegistry) -> None:
    """A tag's content must at least have the digest that its own response states."""
    hostile.on("GET", PATH, Answer(headers={**STATED, "Docker-Content-Digest": str(OTHER)}, body=MANIFEST.content))
    registries = await opened.loopback(hostile.host)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(hostile.host).repository("team/app").get_manifest("1")
    assert caught.value.code == "manifest_digest_mismatch"


async def test_a_head_that_names_another_digest_than_asked_is_refused(opened: Opener, hostile: HostileRegistry) -> None:
    """A request by digest has only one correct response."""
    hostile.on("HEAD", by_digest(OTHER), WHOLE)
    registries = await opened.loopback(hostile.host)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(hostile.host).repository("team/app").head_manifest(str(OTHER))
    assert caught.value.code == "manifest_digest_mismatch"


async def test_a_target_that_takes_a_manifest_for_another_is_caught(opened: Opener, hostile: HostileRegistry) -> None:
    """The answer to a push states the digest under which it was stored."""
    hostile.on("PUT", PATH, Answer(status=201, headers={"Docker-Content-Digest": str(OTHER)}))
    registries = await opened.loopback(hostile.host, side=Side.TARGET)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(hostile.host).repository("team/app").put_manifest("1", MANIFEST)
    assert caught.value.code == "target_digest_mismatch"


@pytest.mark.parametrize(
    ("media_type", "content", "reason"),
    [
        (media_types.DOCKER_SCHEMA1_SIGNED, b'{"schemaVersion": 1}', "schema 1"),
        ("text/html", b"<html>", "not JSON"),
        (media_types.OCI_MANIFEST, b"\xff\xfe", "not JSON"),
        (media_types.OCI_MANIFEST, b'{"mediaType": "' + media_types.OCI_INDEX.encode() + b'"}', "Content-Type"),
        (media_types.OCI_INDEX, b'{"manifests": [], "layers": []}', "mixes"),
        ("application/json", b"{}", "not a manifest"),
    ],
    ids=["schema 1", "html", "not text", "two types", "mixed", "unknown type"],
)
async def test_what_cannot_be_imported_is_refused_with_the_reason(
    opened: Opener, hostile: HostileRegistry, media_type: str, content: bytes, reason: str
) -> None:
    """HEAD does not hide it, either: if the type is not a manifest's, the client reads the manifest."""
    answer = Answer(headers={"Content-Type": media_type}, body=content)
    hostile.on("HEAD", PATH, answer)
    hostile.on("GET", PATH, answer)
    registries = await opened.loopback(hostile.host)
    there = registries.registry(hostile.host).repository("team/app")
    for ask in (there.get_manifest, there.head_manifest):
        with pytest.raises(LongshoreError) as caught:
            await ask("1")
        assert caught.value.code == "manifest_unsupported"
        assert reason in caught.value.detail


@pytest.mark.parametrize(
    "answer",
    [
        Answer(headers=STATED, length=None, endless=True),
        Answer(headers=STATED, body=bytes(MAX_MANIFEST_SIZE + 1)),
        Answer(
            headers={**STATED, "Transfer-Encoding": "chunked"},
            length=None,
            body=b"400000\r\n" + bytes(2**22) + b"\r\n1\r\n0\r\n0\r\n\r\n",
        ),
    ],
    ids=["endless", "too long", "chunked"],
)
async def test_a_manifest_beyond_the_limit_is_not_read(
    opened: Opener, hostile: HostileRegistry, answer: Answer
) -> None:
    """Registries accept 4 MiB; a larger manifest must not fill the memory."""
    hostile.on("GET", PATH, answer)
    registries = await opened.loopback(hostile.host)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(hostile.host).repository("team/app").get_manifest("1")
    assert caught.value.code == "source_protocol_error"
    assert str(MAX_MANIFEST_SIZE) in caught.value.detail
    assert len(hostile.asked) == 1


async def test_a_manifest_at_the_limit_is_read(opened: Opener, hostile: HostileRegistry) -> None:
    """The limit itself is allowed."""
    padded = MANIFEST.content + b" " * (MAX_MANIFEST_SIZE - MANIFEST.size)
    hostile.on("GET", PATH, Answer(headers={"Content-Type": media_types.OCI_MANIFEST}, body=padded))
    registries = await opened.loopback(hostile.host)
    assert (await registries.registry(hostile.host).repository("team/app").get_manifest("1")).size == MAX_MANIFEST_SIZE


@pytest.mark.parametrize(
    "reference", ["", "a/b", "../x", "1?x=y", "sha256:zz", "1\n", f"{MANIFEST.digest}\n", "a" * 129]
)
async def test_a_reference_that_is_neither_tag_nor_digest_never_becomes_an_address(
    opened: Opener, hostile: HostileRegistry, reference: str
) -> None:
    """References are checked where they enter a URL, regardless of their origin."""
    registries = await opened.loopback(hostile.host)
    there = registries.registry(hostile.host).repository("team/app")
    for ask in (there.head_manifest, there.get_manifest):
        with pytest.raises(ValueError, match=r"not a (digest|tag)"):
            await ask(reference)
    assert hostile.asked == []


@pytest.mark.parametrize(
    "name", ["", "/a", "a/", "a//b", "..", "a/../b", "A", "a b", "a?b", "a%2fb", "a#b", "a\n", "a" * 256]
)
async def test_a_name_outside_the_grammar_never_becomes_an_address(
    opened: Opener, hostile: HostileRegistry, name: str
) -> None:
    """Names are checked like references."""
    registries = await opened.loopback(hostile.host)
    with pytest.raises(ValueError, match="not a repository name"):
        registries.registry(hostile.host).repository(name)
