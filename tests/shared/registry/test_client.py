"""The registry client: one object per registry and account, bounded caches, and everything closed at the end."""

import asyncio
import time

import pytest

from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.network.policy import NetworkPolicy
from shared.registry.client import MAX_CACHED_REGISTRIES, open_registries
from shared.registry.scopes import Scopes
from shared.registry.tokens import MAX_TOKENS, Token, TokenCache, TokenKey
from tests.scripted.hostile import Answer, HostileRegistry
from tests.shared.fixtures import Opener

PING = "/v2/"


async def test_closing_ends_what_is_still_asked(hostile: HostileRegistry) -> None:
    """The request for a token must not outlive its session."""
    challenge = Answer(status=401, headers={"WWW-Authenticate": f'Bearer realm="{hostile.url}/token"'})
    hostile.on("GET", PING, challenge)
    hostile.on("GET", "/token", Answer(hang=True, length=10))
    policy = NetworkPolicy.of(allowed_private=["127.0.0.1"], plain_http=[hostile.host])
    async with open_registries(policy, Side.SOURCE) as registries:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(registries.registry(hostile.host).ping(), 0.3)
    assert len(hostile.requests("GET", "/token")) == 1
    assert not [task for task in asyncio.all_tasks() if "TokenCache" in repr(task)]


async def test_a_registry_asked_for_twice_is_the_same(opened: Opener, hostile: HostileRegistry) -> None:
    """Its authentication scheme is cached per account."""
    registries = await opened.loopback(hostile.host)
    credential = Credential("alice", "password")
    assert registries.registry(hostile.host) is registries.registry(hostile.host)
    assert registries.registry(hostile.host, credential) is registries.registry(hostile.host, credential)
    assert registries.registry(hostile.host) is not registries.registry(hostile.host, credential)


async def test_what_is_remembered_is_bounded(opened: Opener) -> None:
    """Users may name any number of registries; a service lives for months."""
    registries = await opened.loopback()
    first, kept = registries.registry("first.example"), registries.registry("kept.example")
    for number in range(MAX_CACHED_REGISTRIES):
        registries.registry(f"r{number}.example")
        assert registries.registry("kept.example") is kept
    assert registries.registry("first.example") is not first


async def test_tokens_are_bounded() -> None:
    """The least recently used token is removed first, as for registries."""
    cache, fetched = TokenCache(), []

    async def get(number: int) -> None:
        async def fetch() -> Token:
            fetched.append(number)
            return Token("t", time.monotonic() + 300)

        await cache.get(TokenKey(f"r{number}.example", None, Scopes()), fetch)

    for number in range(MAX_TOKENS + 1):
        await get(number)
        await get(1 if number else 0)
    fetched.clear()
    await get(1)
    await get(0)
    assert fetched == [0]


async def test_docker_hub_is_spoken_to_at_its_own_host(opened: Opener) -> None:
    """References say docker.io, the registry is another host."""
    policy = NetworkPolicy.of(plain_http=["registry-1.docker.io:1"])
    registries = await opened(policy)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry("docker.io").ping()
    assert "registry-1.docker.io " in caught.value.detail
