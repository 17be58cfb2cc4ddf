"""Who we are to a registry: Basic, Bearer, and where a password never goes."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace

import pytest

from deploy.local.stack import Registry as RegistryServer
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.network.policy import NetworkPolicy
from shared.registry.auth import MAX_TOKEN_SIZE
from tests.scripted.asked import Asked
from tests.scripted.hostile import Answer, HostileRegistry, error
from tests.shared.content import described, manifest_of, noise, pieces, push, read
from tests.shared.fixtures import Opener
from tests.shared.registry.issuer import SERVICE, Issuer

SECRET = "canary-password"
CREDENTIAL = Credential("alice", SECRET)
BASIC = f"Basic {b64encode(f'alice:{SECRET}'.encode()).decode()}"
PING = "/v2/"


def challenge(server: HostileRegistry, *, host: str = "", more: str = "") -> Answer:
    """Ask for a bearer token of a token service at /token on another scripted server."""
    realm = f"http://{host or server.host}/token"
    value = f'Bearer realm="{realm}",service="reg"{more}'
    return replace(error(401, "UNAUTHORIZED"), headers={"WWW-Authenticate": value})


def token(value: str = "t1", **more: object) -> Answer:
    return Answer(body=json.dumps({"token": value, **more}).encode())


def needs(value: str, otherwise: Answer, answer: Answer | None = None) -> "Gate":
    return Gate(f"Bearer {value}", otherwise, answer or Answer())


class Gate:
    """Answers those who bring the right Authorization, and all others otherwise."""

    def __init__(self, authorization: str, otherwise: Answer, answer: Answer) -> None:
        self.authorization = authorization
        self._otherwise = otherwise
        self._answer = answer

    def __call__(self, asked: Asked) -> Answer:
        return self._answer if asked.headers.get("authorization") == self.authorization else self._otherwise


def canaries(*servers: HostileRegistry) -> list[Asked]:
    """Return the requests that carried the password in any form."""
    return [asked for server in servers for asked in server.asked if asked.headers.get("authorization") == BASIC]


# Basic.


async def test_a_password_opens_a_private_registry(opened: Opener, source_registry: RegistryServer) -> None:
    """docker-registry with htpasswd."""
    registries = await opened.loopback(source_registry.host)
    assert source_registry.username
    assert source_registry.password
    credential = Credential(source_registry.username, source_registry.password)
    await registries.registry(source_registry.host, credential).ping()


@pytest.mark.parametrize("credential", [None, CREDENTIAL], ids=["none", "wrong"])
async def test_no_password_or_a_wrong_one_is_denied(
    opened: Opener, source_registry: RegistryServer, credential: Credential | None
) -> None:
    """At once: another try would only lock the account."""
    registries = await opened.loopback(source_registry.host)
    registry = registries.registry(source_registry.host, credential)
    for ask in (registry.ping(), registry.repository("team/app").head_manifest("1")):
        with pytest.raises(LongshoreError) as caught:
            await ask
        assert caught.value.code == "source_denied"
        assert SECRET not in str(caught.value)


async def test_the_target_denies_in_its_own_words(opened: Opener, source_registry: RegistryServer) -> None:
    """The same status asks different things of different people."""
    registries = await opened.loopback(source_registry.host, side=Side.TARGET)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(source_registry.host).ping()
    assert caught.value.code == "target_denied"


async def test_a_password_is_sent_only_when_asked_for_and_then_at_once(
    opened: Opener, hostile: HostileRegistry
) -> None:
    """The first request learns, all others go straight."""
    refused = replace(error(401, "UNAUTHORIZED"), headers={"WWW-Authenticate": 'Basic realm="x"'})
    hostile.on("GET", PING, Gate(BASIC, refused, Answer()))
    registries = await opened.loopback(hostile.host)
    registry = registries.registry(hostile.host, CREDENTIAL)
    for _ in range(3):
        await registry.ping()
    assert [asked.headers.get("authorization") for asked in hostile.asked] == [None, BASIC, BASIC, BASIC]


async def test_an_open_registry_never_sees_a_password(opened: Opener, hostile: HostileRegistry) -> None:
    """Who does not ask gets nothing."""
    hostile.on("GET", PING, Answer())
    registries = await opened.loopback(hostile.host)
    await registries.registry(hostile.host, CREDENTIAL).ping()
    assert canaries(hostile) == []


async def test_accounts_at_one_registry_stay_apart(opened: Opener, source_registry: RegistryServer) -> None:
    """One user's right must not open anything to another."""
    registries = await opened.loopback(source_registry.host)
    assert source_registry.username
    assert source_registry.password
    good = Credential(source_registry.username, source_registry.password)
    await registries.registry(source_registry.host, good).ping()
    for credential in (None, CREDENTIAL):
        with pytest.raises(LongshoreError, match="denied"):
            await registries.registry(source_registry.host, credential).ping()
    await registries.registry(source_registry.host, good).ping()


async def test_basic_is_preferred_with_a_password_and_bearer_without(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry
) -> None:
    """Of several challenges the one that sends the password nowhere else."""
    value = f'Bearer realm="http://{other.host}/token", Basic realm="x"'
    refused = replace(error(401, "UNAUTHORIZED"), headers={"WWW-Authenticate": value})
    hostile.on("GET", PING, lambda asked: Answer() if "authorization" in asked.headers else refused)
    other.on("GET", "/token", token())
    registries = await opened.loopback(hostile.host, other.host)
    await registries.registry(hostile.host, CREDENTIAL).ping()
    assert other.asked == []
    await registries.registry(hostile.host).ping()
    assert hostile.asked[-1].headers["authorization"] == "Bearer t1"


# Bearer, against docker-registry.


@pytest.fixture
def questions(issuer: Issuer) -> Iterator[Issuer]:
    """The token service without memory of other tests."""
    issuer.asked.clear()
    issuer.delay = 0.0
    issuer.spoilt = 0
    yield issuer
    issuer.delay = 0.0


async def test_one_token_serves_a_whole_push(
    opened: Opener, token_registry: RegistryServer, questions: Issuer, repository: str
) -> None:
    """A target's repository is asked for with both rights from the start: one token, whatever comes first."""
    name, password = next(iter(questions.accounts.items()))
    policy = NetworkPolicy.of(plain_http=[token_registry.host, questions.host], trusted=True)
    registries = await opened(policy, Side.TARGET)
    there = registries.registry(token_registry.host, Credential(name, password)).repository(repository)
    manifest = manifest_of(b"config", b"layer")
    assert not await there.has_blob(described(b"layer"))
    for content in (b"config", b"layer"):
        await push(there, content)
    await there.put_manifest("1", manifest)
    assert await there.find_manifest("1") is not None
    assert len(questions.asked) == 1
    asked = questions.asked[0]
    assert (asked.account, asked.scopes, asked.service) == (name, (f"repository:{repository}:pull,push",), SERVICE)


async def test_a_public_repository_is_read_without_an_account_and_no_other(
    opened: Opener, token_registry: RegistryServer, questions: Issuer, repository: str
) -> None:
    """Anonymous tokens have the rights that everybody has."""
    name, password = next(iter(questions.accounts.items()))
    registries = await opened.loopback(token_registry.host, questions.host, side=Side.TARGET)
    writer = registries.registry(token_registry.host, Credential(name, password))
    for public in (f"public/{repository}", repository):
        await push(writer.repository(public), b"layer")
    reader = (await opened.loopback(token_registry.host, questions.host)).registry(token_registry.host)
    assert await read(reader.repository(f"public/{repository}"), described(b"layer")) == b"layer"
    with pytest.raises(LongshoreError) as caught:
        await read(reader.repository(repository), described(b"layer"))
    assert caught.value.code == "source_denied"
    assert questions.asked[-1].scopes == (f"repository:{repository}:pull",)


async def test_a_mount_asks_for_both_repositories(
    opened: Opener, token_registry: RegistryServer, questions: Issuer, repository: str
) -> None:
    """Without the right to read the neighbour the registry would only open an upload."""
    name, password = next(iter(questions.accounts.items()))
    registries = await opened.loopback(token_registry.host, questions.host, side=Side.TARGET)
    registry = registries.registry(token_registry.host, Credential(name, password))
    await push(registry.repository(f"{repository}/first"), b"layer")
    second = registry.repository(f"{repository}/second")
    assert await second.mount_blob(described(b"layer"), f"{repository}/first") is None
    assert questions.asked[-1].scopes == (
        f"repository:{repository}/first:pull",
        f"repository:{repository}/second:pull,push",
    )


async def test_many_requests_at_once_fetch_one_token(
    opened: Opener, token_registry: RegistryServer, questions: Issuer, repository: str
) -> None:
    """Single flight: twenty layers start together."""
    name, password = next(iter(questions.accounts.items()))
    questions.delay = 0.2
    registries = await opened.loopback(token_registry.host, questions.host, side=Side.TARGET)
    there = registries.registry(token_registry.host, Credential(name, password)).repository(repository)
    await asyncio.gather(*(there.has_blob(described(noise(10, seed))) for seed in range(20)))
    assert len(questions.asked) == 1


async def test_a_token_that_the_registry_no_longer_takes_is_replaced_once(
    opened: Opener, token_registry: RegistryServer, questions: Issuer, repository: str
) -> None:
    """Tokens end before their time when keys are rotated; and a second refusal is an answer."""
    name, password = next(iter(questions.accounts.items()))
    questions.spoilt = 1
    registries = await opened.loopback(token_registry.host, questions.host, side=Side.TARGET)
    there = registries.registry(token_registry.host, Credential(name, password)).repository(repository)
    with pytest.raises(LongshoreError) as caught:
        await there.has_blob(described(b"layer"))
    assert caught.value.code == "target_denied"
    assert len(questions.asked) == 1
    assert not await there.has_blob(described(b"layer"))
    assert len(questions.asked) == 2


async def test_a_wrong_password_is_the_token_services_to_say(
    opened: Opener, token_registry: RegistryServer, questions: Issuer
) -> None:
    """Its words reach the user; the password does not."""
    registries = await opened.loopback(token_registry.host, questions.host)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(token_registry.host, CREDENTIAL).repository("team/app").head_manifest("1")
    assert caught.value.code == "source_denied"
    assert "incorrect username or password" in caught.value.detail
    assert questions.host in caught.value.detail
    assert SECRET not in str(caught.value)
    assert len(questions.asked) == 1


async def test_a_refusal_is_shared_by_all_who_waited_for_it(
    opened: Opener, token_registry: RegistryServer, questions: Issuer
) -> None:
    """A wrong password is tried once, not once a layer: services lock accounts."""
    questions.delay = 0.3
    registries = await opened.loopback(token_registry.host, questions.host)
    there = registries.registry(token_registry.host, CREDENTIAL).repository("team/app")
    asks = [there.has_blob(described(noise(10, seed))) for seed in range(10)]
    results = await asyncio.gather(*asks, return_exceptions=True)
    assert all(isinstance(result, LongshoreError) and result.code == "source_denied" for result in results)
    assert len(questions.asked) == 1


# Bearer, against registries that want our password elsewhere.


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
    """On any port: GitLab's registry listens beside its token service."""
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
    """It may redirect, but the account stays with it."""
    hostile.on("GET", PING, needs("t1", challenge(hostile)))
    hostile.on("GET", "/token", Answer(status=302, headers={"Location": f"{other.url}/else"}))
    other.on("GET", "/else", token())
    registries = await opened.loopback(hostile.host, other.host)
    await registries.registry(hostile.host, CREDENTIAL).ping()
    assert len(other.asked) == 1
    assert canaries(other) == []


async def test_what_the_realm_says_of_itself_is_kept(opened: Opener, hostile: HostileRegistry) -> None:
    """A realm may have a query; ours comes after it. The challenge's own scope is asked for."""
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


async def test_a_token_that_is_about_to_end_is_fetched_anew(opened: Opener, hostile: HostileRegistry) -> None:
    """Before a body is sent that could not be sent again."""
    uploads, session = "/v2/team/app/blobs/uploads/", "/v2/team/app/blobs/uploads/1"
    hostile.on("GET", "/token", token("t1", expires_in=1), token("t2", expires_in=300))
    hostile.on("POST", uploads, needs("t1", challenge(hostile), Answer(status=202, headers={"Location": session})))
    hostile.on("PATCH", session, needs("t2", challenge(hostile), Answer(status=202, headers={"Location": session})))
    registries = await opened.loopback(hostile.host, side=Side.TARGET)
    there = registries.registry(hostile.host).repository("team/app")
    started = await there.start_upload()
    await asyncio.sleep(0.6)
    await there.stream_upload(started, pieces(b"layer"))
    assert [asked.headers.get("authorization") for asked in hostile.requests("PATCH")] == ["Bearer t2"]


async def test_a_token_is_kept_for_a_minute_where_its_life_is_not_said(
    opened: Opener, hostile: HostileRegistry
) -> None:
    """The token specification's default; nonsense counts as nothing said."""
    for said in (None, "60", -1, 0, True, float("nan")):
        hostile.asked.clear()
        hostile.on("GET", PING, needs("t1", challenge(hostile)))
        hostile.on("GET", "/token", token(expires_in=said))
        registry = (await opened.loopback(hostile.host)).registry(hostile.host)
        for _ in range(3):
            await registry.ping()
        assert len(hostile.requests("GET", "/token")) == 1


async def test_a_first_request_with_a_body_asks_beforehand_how(opened: Opener, hostile: HostileRegistry) -> None:
    """A session may have been opened by another process: nothing is known of the registry yet."""
    session = "/v2/team/app/blobs/uploads/1"
    hostile.on("POST", "/v2/team/app/blobs/uploads/", Answer(status=202, headers={"Location": session}))
    hostile.on("GET", PING, needs("t1", challenge(hostile)))
    hostile.on("GET", "/token", token())
    hostile.on("PATCH", session, needs("t1", challenge(hostile), Answer(status=202, headers={"Location": session})))
    opener = (await opened.loopback(hostile.host, side=Side.TARGET)).registry(hostile.host).repository("team/app")
    started = await opener.start_upload()
    later = (await opened.loopback(hostile.host, side=Side.TARGET)).registry(hostile.host).repository("team/app")
    await later.stream_upload(started, pieces(b"layer"))
    assert [asked.headers.get("authorization") for asked in hostile.requests("PATCH")] == ["Bearer t1"]


async def test_a_refused_token_in_an_upload_may_be_tried_again(opened: Opener, hostile: HostileRegistry) -> None:
    """The session was opened with it, so it has ended since; the next try has a new one."""
    uploads, session = "/v2/team/app/blobs/uploads/", "/v2/team/app/blobs/uploads/1"
    started = Answer(status=202, headers={"Location": session})
    hostile.on("GET", "/token", token("t1"), token("t2"))
    hostile.on("POST", uploads, lambda asked: started if "authorization" in asked.headers else challenge(hostile))
    hostile.on("PATCH", session, needs("t2", challenge(hostile), started))
    registries = await opened.loopback(hostile.host, side=Side.TARGET)
    there = registries.registry(hostile.host).repository("team/app")
    with pytest.raises(LongshoreError) as caught:
        await there.stream_upload(await there.start_upload(), pieces(b"layer"))
    assert caught.value.code == "target_unavailable"
    await there.stream_upload(await there.start_upload(), pieces(b"layer"))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"no json"),
        Answer(body=b"[]"),
        Answer(body=b"{}"),
        Answer(body=b"[" * 100_000),
        token("two words"),
        token("line\r\nX-Injected: yes"),
        token(""),
        Answer(body=json.dumps({"token": 7}).encode()),
        Answer(body=b" " * (MAX_TOKEN_SIZE + 1)),
        Answer(length=None, endless=True),
    ],
    ids=["text", "list", "nothing", "deep", "space", "lines", "empty", "number", "too long", "endless"],
)
async def test_an_answer_without_a_usable_token_is_an_error(
    opened: Opener, hostile: HostileRegistry, answer: Answer
) -> None:
    """A token becomes a header line; its answer must fit in memory."""
    hostile.on("GET", PING, challenge(hostile))
    hostile.on("GET", "/token", answer)
    registries = await opened.loopback(hostile.host)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(hostile.host).ping()
    assert caught.value.code == "source_protocol_error"


async def test_access_token_is_a_tokens_other_name(opened: Opener, hostile: HostileRegistry) -> None:
    """For OAuth2's sake (distribution's token specification)."""
    hostile.on("GET", PING, needs("t1", challenge(hostile)))
    hostile.on("GET", "/token", Answer(body=b'{"access_token": "t1"}'))
    await (await opened.loopback(hostile.host)).registry(hostile.host).ping()


async def test_a_cancelled_request_does_not_cost_others_their_token(opened: Opener, hostile: HostileRegistry) -> None:
    """The first to ask for a token does not own it."""
    hostile.on("GET", PING, needs("t1", challenge(hostile)))
    hostile.on("GET", "/token", Answer(body=b'{"token": "t1"}', wait=0.3))
    registry = (await opened.loopback(hostile.host)).registry(hostile.host)
    first = asyncio.create_task(registry.ping())
    await asyncio.sleep(0.1)
    second = asyncio.create_task(registry.ping())
    await asyncio.sleep(0.1)
    first.cancel()
    await second
    assert first.cancelled() or first.cancelling()
    assert len(hostile.requests("GET", "/token")) == 1


async def test_secrets_that_a_registry_repeats_are_not_passed_on(opened: Opener, hostile: HostileRegistry) -> None:
    """Error messages reach logs and users."""
    said = f"no {SECRET} no {BASIC.removeprefix('Basic ')} no"
    basic = replace(error(401, "DENIED", said), headers={"WWW-Authenticate": "Basic"})
    hostile.on("GET", PING, basic)
    with pytest.raises(LongshoreError) as caught:
        await (await opened.loopback(hostile.host)).registry(hostile.host, CREDENTIAL).ping()
    assert "no [secret] no [secret] no" in caught.value.detail


async def test_tokens_that_a_registry_repeats_are_not_passed_on(opened: Opener, hostile: HostileRegistry) -> None:
    """As passwords."""
    hostile.on("GET", PING, needs("token-canary", challenge(hostile), error(403, "DENIED", "bad token-canary")))
    hostile.on("GET", "/token", token("token-canary"))
    with pytest.raises(LongshoreError) as caught:
        await (await opened.loopback(hostile.host)).registry(hostile.host).ping()
    assert "bad [secret]" in caught.value.detail


def test_a_credential_hides_its_password() -> None:
    """It ends in logs otherwise."""
    assert SECRET not in repr(CREDENTIAL)
    assert SECRET not in f"{CREDENTIAL}"
