"""Realms: the token services that a challenge names, and the ones that receive the password."""

from dataclasses import replace

import pytest

from shared.errors.error import LongshoreError
from shared.network.policy import NetworkPolicy
from tests.scripted.hostile import Answer, HostileRegistry, error
from tests.shared.content import described
from tests.shared.fixtures import Opener
from tests.shared.registry.challenges import CREDENTIAL, PING, canaries, challenge, needs, token


async def test_a_foreign_realm_gets_no_password(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry
) -> None:
    """Skopeo, Harbor and Pulp would send it. The error says how an operator can trust that service."""
    realm = f"localhost:{other.port}"
    hostile.on("GET", PING, challenge(other, host=realm))
    other.on("GET", "/token", token())
    registries = await opened.loopback(hostile.host, realm)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(hostile.host, CREDENTIAL).ping()
    assert caught.value.code == "source_denied"
    assert f"TOKEN_REALMS={hostile.host}={realm}" in caught.value.detail
    assert len(other.asked) == 1
    assert "account" not in other.asked[0].query
    assert canaries(hostile, other) == []


@pytest.mark.parametrize("port", [True, False])
async def test_a_pinned_realm_gets_the_password(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry, port: bool
) -> None:
    """TOKEN_REALMS names a host, or a host and its port."""
    realm = f"localhost:{other.port}"
    hostile.on("GET", PING, needs("t1", challenge(other, host=realm)))
    other.on("GET", "/token", token())
    policy = NetworkPolicy.of(
        allowed_private=["127.0.0.0/8", "::1"],
        plain_http=[hostile.host, realm],
        token_realms={hostile.host: realm if port else "localhost"},
    )
    await (await opened(policy)).registry(hostile.host, CREDENTIAL).ping()
    assert canaries(other) == other.asked
    assert "account=alice" in other.asked[0].query
    assert canaries(hostile) == []


async def test_a_realm_pinned_for_one_registry_is_foreign_to_another(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry
) -> None:
    """A hostile registry must not borrow the trust that another one has."""
    realm = f"localhost:{other.port}"
    hostile.on("GET", PING, needs("t1", challenge(other, host=realm)))
    other.on("GET", "/token", token())
    policy = NetworkPolicy.of(
        allowed_private=["127.0.0.0/8", "::1"],
        plain_http=[hostile.host, realm],
        token_realms={"registry.example": realm},
    )
    await (await opened(policy)).registry(hostile.host, CREDENTIAL).ping()
    assert canaries(hostile, other) == []


async def test_a_realm_on_the_registrys_own_host_gets_the_password(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry
) -> None:
    """The port does not matter: GitLab's registry and its token service share a host."""
    hostile.on("GET", PING, needs("t1", challenge(other)))
    other.on("GET", "/token", token())
    registries = await opened.loopback(hostile.host, other.host)
    await registries.registry(hostile.host, CREDENTIAL).ping()
    assert canaries(other) == other.asked
    assert len(other.asked) == 1


@pytest.mark.parametrize(
    "realm",
    ["http://{host}/token", "http://user:word@{host}/token", "ftp://{host}/token", "/token", "", "http://[::1/token"],
)
async def test_a_realm_that_may_not_be_called_is_not(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry, realm: str
) -> None:
    """Plain http is for listed hosts, token services included."""
    value = f'Bearer realm="{realm.format(host=other.host)}"'
    hostile.on("GET", PING, replace(error(401, "UNAUTHORIZED"), headers={"WWW-Authenticate": value}))
    registries = await opened.loopback(hostile.host)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(hostile.host, CREDENTIAL).ping()
    assert caught.value.code == "source_host_refused"
    assert other.asked == []


async def test_a_token_services_redirect_gets_no_password(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry
) -> None:
    """It may redirect, but the account is not sent to another host."""
    hostile.on("GET", PING, needs("t1", challenge(hostile)))
    hostile.on("GET", "/token", Answer(status=302, headers={"Location": f"{other.url}/else"}))
    other.on("GET", "/else", token())
    registries = await opened.loopback(hostile.host, other.host)
    await registries.registry(hostile.host, CREDENTIAL).ping()
    assert len(other.asked) == 1
    assert canaries(other) == []


async def test_what_the_realm_says_of_itself_is_kept(opened: Opener, hostile: HostileRegistry) -> None:
    """A realm may have a query, to which Longshore's is appended. The challenge's own scope is requested."""
    wanted = ',scope="repository:team/app:pull,delete"'
    refused = challenge(hostile, host=f"{hostile.host}/token?tenant=a%2Fb#", more=wanted)
    path = f"/v2/team/app/blobs/{described(b'').digest}"
    hostile.on("HEAD", path, needs("t1", refused))
    hostile.on("GET", "/token", token())
    registries = await opened.loopback(hostile.host)
    await registries.registry(hostile.host).repository("team/app").has_blob(described(b""))
    query = hostile.requests("GET", "/token")[0].query
    assert query == "tenant=a%2Fb&service=reg&scope=repository%3Ateam%2Fapp%3Adelete%2Cpull"


async def test_a_registry_with_other_names_is_asked_in_its_own_words(opened: Opener, hostile: HostileRegistry) -> None:
    """Behind a virtual host the repository has a prefix that only the challenge knows."""
    refused = challenge(hostile, more=',scope="repository:tenant/team/app:pull"')
    hostile.on("HEAD", f"/v2/team/app/blobs/{described(b'').digest}", needs("t1", refused))
    hostile.on("GET", "/token", token())
    registries = await opened.loopback(hostile.host)
    await registries.registry(hostile.host).repository("team/app").has_blob(described(b""))
    assert hostile.requests("GET", "/token")[0].query.endswith("&scope=repository%3Atenant%2Fteam%2Fapp%3Apull")


async def test_a_known_challenge_is_answered_before_it_comes(opened: Opener, hostile: HostileRegistry) -> None:
    """Every further repository costs one request less."""
    names = ("team/one", "team/two", "team/three")
    for name in names:
        refused = challenge(hostile, more=f',scope="repository:{name}:pull"')
        hostile.on("HEAD", f"/v2/{name}/blobs/{described(b'').digest}", needs("t1", refused))
    hostile.on("GET", "/token", token())
    registries = await opened.loopback(hostile.host)
    for name in names:
        await registries.registry(hostile.host).repository(name).has_blob(described(b""))
    queries = [asked.query for asked in hostile.requests("GET", "/token")]
    assert queries == [f"service=reg&scope=repository%3A{name.replace('/', '%2F')}%3Apull" for name in names]
    assert len(hostile.requests("HEAD")) == 4
