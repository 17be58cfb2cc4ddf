"""Finding out which of several tags exist, with as few requests as possible."""

from collections.abc import AsyncIterator

import pytest

from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.network.policy import NetworkPolicy
from shared.oci import media_types
from shared.registry.client import open_registries
from shared.registry.referrers import tag_lookup
from shared.registry.referrers.tag_lookup import TagLookup
from tests.scripted.hostile import Answer, HostileRegistry, error

A, B = "sha256:" + 64 * "a", "sha256:" + 64 * "b"
LIST = "/v2/team/app/tags/list"


@pytest.fixture
async def hostile() -> AsyncIterator[HostileRegistry]:
    async with HostileRegistry() as server:
        yield server


@pytest.fixture
async def lookup(hostile: HostileRegistry) -> AsyncIterator[TagLookup]:
    policy = NetworkPolicy.of(plain_http=[hostile.host], trusted=True)
    async with open_registries(policy, Side.SOURCE) as registries:
        yield TagLookup(registries.registry(hostile.host).repository("team/app"))


def manifest(digest: str) -> Answer:
    headers = {"Content-Type": media_types.OCI_MANIFEST, "Docker-Content-Digest": digest, "Content-Length": "9"}
    return Answer(headers=headers)


async def test_listed_tags_are_asked_for_and_no_others(hostile: HostileRegistry, lookup: TagLookup) -> None:
    """The list is read once, however often the lookup is used."""
    hostile.on("GET", LIST, Answer(body=b'{"tags": ["a", "other"]}'))
    hostile.on("HEAD", "/v2/team/app/manifests/a", manifest(A))
    for _ in range(3):
        assert {tag: str(digest) for tag, digest in (await lookup.find(["a", "b"])).items()} == {"a": A}
    assert len(hostile.requests("GET", LIST)) == 1
    assert hostile.requests("HEAD", "/v2/team/app/manifests/b") == []


@pytest.mark.parametrize("wait", [True, False])
async def test_a_list_that_takes_too_long_is_done_without(
    hostile: HostileRegistry, lookup: TagLookup, monkeypatch: pytest.MonkeyPatch, wait: bool
) -> None:
    """Storage without folders makes listing slow; a page that is not the last lacks some tags."""
    monkeypatch.setattr(tag_lookup, "LIST_TIMEOUT", 0.2)
    link = {"Link": f'<{LIST}?last=a>; rel="next"'}
    hostile.on(
        "GET",
        LIST,
        Answer(body=b'{"tags": ["a"]}', wait=5.0) if wait else Answer(body=b'{"tags": ["a"]}', headers=link),
    )
    hostile.on("HEAD", "/v2/team/app/manifests/b", manifest(B))
    assert {tag: str(digest) for tag, digest in (await lookup.find(["b"])).items()} == {"b": B}


async def test_a_rate_limit_is_heeded(hostile: HostileRegistry, lookup: TagLookup) -> None:
    """More requests would make it worse."""
    hostile.on("GET", LIST, error(429, "TOOMANYREQUESTS", Retry_After="60"))
    with pytest.raises(LongshoreError, match="source_rate_limited"):
        await lookup.find(["a"])
    assert not [asked for asked in hostile.asked if "/manifests/" in asked.target]
