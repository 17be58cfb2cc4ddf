"""Bearer tokens: fetched from docker-registry's token service, cached, renewed, and refused if unusable."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from deploy.local.stack import Registry as RegistryServer
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.network.policy import NetworkPolicy
from shared.registry.auth import MAX_TOKEN_SIZE
from tests.scripted.hostile import Answer, HostileRegistry
from tests.shared.content import described, manifest_of, noise, pieces, push, read
from tests.shared.fixtures import Opener
from tests.shared.registry.challenges import CREDENTIAL, PING, SECRET, challenge, needs, token
from tests.shared.registry.issuer import SERVICE, Issuer


@pytest.fixture
def questions(issuer: Issuer) -> Iterator[Issuer]:
    """The token service without the records of other tests."""
    issuer.asked.clear()
    issuer.delay = 0.0
    issuer.spoilt = 0
    yield issuer
    issuer.delay = 0.0


async def test_one_token_serves_a_whole_push(
    opened: Opener, token_registry: RegistryServer, questions: Issuer, repository: str
) -> None:
    """Both rights to a target's repository are requested at the start: one token, whichever request is first."""
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
    """Anonymous tokens have the public rights."""
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
    """Twenty layers start at once, and share one token request."""
    name, password = next(iter(questions.accounts.items()))
    questions.delay = 0.2
    registries = await opened.loopback(token_registry.host, questions.host, side=Side.TARGET)
    there = registries.registry(token_registry.host, Credential(name, password)).repository(repository)
    await asyncio.gather(*(there.has_blob(described(noise(10, seed))) for seed in range(20)))
    assert len(questions.asked) == 1


async def test_a_token_that_the_registry_no_longer_takes_is_replaced_once(
    opened: Opener, token_registry: RegistryServer, questions: Issuer, repository: str
) -> None:
    """Key rotation ends tokens early; a second refusal is final."""
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
    """Its message reaches the user; the password does not."""
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


async def test_a_token_that_is_about_to_end_is_fetched_anew(opened: Opener, hostile: HostileRegistry) -> None:
    """Otherwise the token could expire during a body that cannot be sent again."""
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
    """The token specification's default; an invalid lifetime counts as missing."""
    for said in (None, "60", -1, 0, True, float("nan")):
        hostile.asked.clear()
        hostile.on("GET", PING, needs("t1", challenge(hostile)))
        hostile.on("GET", "/token", token(expires_in=said))
        registry = (await opened.loopback(hostile.host)).registry(hostile.host)
        for _ in range(3):
            await registry.ping()
        assert len(hostile.requests("GET", "/token")) == 1


async def test_a_first_request_with_a_body_asks_beforehand_how(opened: Opener, hostile: HostileRegistry) -> None:
    """Another process may have opened the session, so this one does not know the challenge yet."""
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
    """The session was opened with the token, so it has expired since; the next attempt has a new one."""
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
    """A token becomes a header line; the response must fit in memory."""
    hostile.on("GET", PING, challenge(hostile))
    hostile.on("GET", "/token", answer)
    registries = await opened.loopback(hostile.host)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(hostile.host).ping()
    assert caught.value.code == "source_protocol_error"


async def test_access_token_is_a_tokens_other_name(opened: Opener, hostile: HostileRegistry) -> None:
    """For compatibility with OAuth2 (distribution's token specification)."""
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
