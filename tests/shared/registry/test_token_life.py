"""Tokens over time: their owner, their lifetime, and uploads during which a token expires."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from import_worker.adapters.registry_target import RegistryTarget
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.oci.descriptor import Descriptor
from shared.registry.source import RegistrySource
from tests.scripted.answer import Answer
from tests.scripted.received_request import ReceivedRequest
from tests.scripted.registry import ScriptedRegistry
from tests.scripted.tokens import Issued, TokenService
from tests.shared.content import described, noise
from tests.shared.fixtures import Opener
from tests.shared.moving import REPOSITORY, move, source_at, target_at

pytestmark = pytest.mark.usefixtures("quick_tries")

# Sent as a whole, and passed through a thread.
SMALL, LARGE = noise(200_000, 21), noise(3_000_000, 22)
CONTENTS = pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
CREDENTIAL = Credential("alice", "canary-password")
UPLOADS = r"/v2/team/app/blobs/uploads/.+"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two registries; the target requires tokens."""

    source: ScriptedRegistry
    target: ScriptedRegistry
    service: TokenService
    reader: RegistrySource
    writer: RegistryTarget

    def holds(self, blob: Descriptor) -> bool:
        return self.target.blob(REPOSITORY, str(blob.digest)) is not None

    def sent_with(self, method: str) -> list[str]:
        """Return the tokens of these requests, each as its number in the order of issue."""
        numbers = {f"Bearer {token.value}": f"t{number}" for number, token in enumerate(self.service.issued, 1)}
        return [numbers[asked.authorization or ""] for asked in self.target.requests(method, UPLOADS)]


@asynccontextmanager
async def pair(opened: Opener, *contents: bytes, service: TokenService | None = None) -> AsyncIterator[Pair]:
    service = service or TokenService(accounts={"alice": "canary-password"})
    async with ScriptedRegistry() as source, ScriptedRegistry(tokens=service) as target:
        for content in contents:
            source.add_blob(REPOSITORY, content)
        reading = await opened.loopback(source.host)
        writing = await opened.loopback(target.host, side=Side.TARGET)
        yield Pair(
            source=source,
            target=target,
            service=service,
            reader=source_at(reading, source.host),
            writer=target_at(writing, target.host, CREDENTIAL),
        )


def revoking(answer: Answer, service: TokenService) -> Answer:
    """Revoke all tokens together with a response."""
    service.revoke()
    return answer


def tokens_to_push(service: TokenService) -> list[Issued]:
    """Return the tokens of the upload itself: the first try's upload is cancelled, which needs the right to delete."""
    return [token for token in service.issued if not any("delete" in scope for scope in token.scopes)]


# During an upload.


@CONTENTS
@pytest.mark.parametrize("lingers", [True, False], ids=["read on", "reset"])
async def test_a_401_in_the_middle_of_an_upload_costs_one_more_try(
    opened: Opener, content: bytes, lingers: bool
) -> None:
    """The 401 arrives while the body is being sent; the next attempt has a token that the registry accepts."""
    async with pair(opened, content) as both:

        def refuse(asked: ReceivedRequest) -> Answer:
            both.service.revoke()
            return both.service.challenge(asked, f"{both.target.url}/token") or Answer(status=500)

        both.target.on("PUT|PATCH", UPLOADS, times=1).answer_with(refuse).early(100_000, lingers=lingers)
        await move(described(content), both.reader, both.writer)
        assert both.holds(described(content))
        assert len(tokens_to_push(both.service)) == 2


@CONTENTS
async def test_a_401_at_the_end_of_an_upload_costs_one_more_try(opened: Opener, content: bytes) -> None:
    """The registry checks the token only after the whole body."""
    async with pair(opened, content) as both:
        both.target.on("POST", ".*", after=1, times=1).change(lambda answer: revoking(answer, both.service))
        await move(described(content), both.reader, both.writer)
        assert both.holds(described(content))
        assert both.sent_with("PUT|PATCH")[:2] == ["t1", "t2"]
        assert len(tokens_to_push(both.service)) == 2


async def test_a_token_that_ends_during_a_long_upload_is_not_sent_again(opened: Opener) -> None:
    """The upload outlives its token; later requests have a fresh one, and none is rejected."""
    service = TokenService(accounts={"alice": "canary-password"}, lifetime=1.0)
    async with pair(opened, LARGE, service=service) as both:
        both.source.on("GET", ".*/blobs/.*").drip(250_000, 0.12)
        await move(described(LARGE), both.reader, both.writer)
        assert both.holds(described(LARGE))
        assert both.sent_with("PATCH") == ["t1"]
        assert both.sent_with("PUT") == ["t2"]
        assert len(both.target.requests("POST")) == 2


async def test_uploads_that_lose_their_token_together_fetch_one(opened: Opener) -> None:
    """Twenty running layers must not request twenty tokens."""
    contents = [noise(50_000, seed) for seed in range(20)]
    async with pair(opened, *contents) as both:
        await both.writer.has_blob(described(b""))
        both.target.on("POST", ".*", after=19, times=1).change(lambda answer: revoking(answer, both.service))
        await asyncio.gather(*(move(described(content), both.reader, both.writer) for content in contents))
        assert all(both.holds(described(content)) for content in contents)
        assert len(tokens_to_push(both.service)) == 2


@CONTENTS
async def test_an_account_that_ends_during_an_upload_is_denied(opened: Opener, content: bytes) -> None:
    """The token service's refusal is final: the blob is not retried, and the user sees the message."""
    async with pair(opened, content) as both:

        def close_account(answer: Answer) -> Answer:
            both.service.revoke()
            both.service.accounts = {"bob": "other"}
            return answer

        both.target.on("POST", ".*", after=1).change(close_account)
        with pytest.raises(LongshoreError) as caught:
            await move(described(content), both.reader, both.writer)
        assert caught.value.code == "target_denied"
        assert "incorrect username or password" in caught.value.detail
        assert len(both.target.requests("PUT|PATCH", UPLOADS)) == 1


async def test_a_password_that_ends_during_an_upload_is_denied(opened: Opener) -> None:
    """With Basic there is no fresh token; further attempts would only lock the account."""
    async with ScriptedRegistry() as source, ScriptedRegistry() as target:
        source.add_blob(REPOSITORY, LARGE)
        refused = {"WWW-Authenticate": 'Basic realm="x"'}
        target.on("HEAD|POST", ".*", times=1).answer(401, headers=refused)
        target.on("PATCH", ".*").answer(401, headers=refused)
        reader = source_at(await opened.loopback(source.host), source.host)
        writer = target_at(await opened.loopback(target.host, side=Side.TARGET), target.host, CREDENTIAL)
        with pytest.raises(LongshoreError) as caught:
            await move(described(LARGE), reader, writer)
        assert caught.value.code == "target_denied"
        assert len(target.requests("PATCH")) == 1


# Accounts and scopes.


async def test_each_account_and_each_repository_has_its_own_token(opened: Opener) -> None:
    """The key is registry, credential and scope; one account never uses another's token."""
    service = TokenService(accounts={"alice": "a-password", "bob": "b-password"})
    async with ScriptedRegistry(tokens=service) as first, ScriptedRegistry(tokens=service) as second:
        registries = await opened.loopback(first.host, second.host)
        blob = described(b"")
        for name, password in service.accounts.items():
            for host in (first.host, second.host):
                for repository in ("team/one", "team/two"):
                    for _ in range(2):
                        there = registries.registry(host, Credential(name, password)).repository(repository)
                        await there.has_blob(blob)
        keys = [(token.account, token.scopes) for token in service.issued]
        assert len(keys) == 8
        assert len(set(keys)) == 4
        for server in (first, second):
            brought = {asked.authorization for asked in server.requests("HEAD") if asked.authorization}
            assert len(brought) == 4


# Lifetimes.


@pytest.mark.parametrize(
    ("stated", "kept"),
    [
        (None, True),
        (0, True),
        (-300, True),
        ("300", True),
        (True, True),
        ([], True),
        (10**400, True),
        (1e308, True),
        (float("inf"), True),
        (float("nan"), True),
        (300, True),
        (0.2, False),
    ],
    ids=str,
)
@pytest.mark.parametrize("member", ["token", "access_token"])
async def test_a_stated_lifetime_is_believed_within_reason(
    opened: Opener, stated: object, kept: bool, member: str
) -> None:
    """A missing or invalid lifetime counts as the specification's minute, one above a day as a day."""
    service = TokenService(stated=stated, member=member)
    async with ScriptedRegistry(tokens=service) as registry:
        there = (await opened.loopback(registry.host)).registry(registry.host)
        await there.ping()
        await asyncio.sleep(0.15)
        await there.ping()
        assert len(service.issued) == (1 if kept else 2)


async def test_the_clock_on_the_wall_counts_for_nothing(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither Longshore's clock, which may jump, nor the service's in `issued_at`, which may be wrong."""
    service = TokenService()
    async with ScriptedRegistry(tokens=service) as registry:
        registry.on("GET", "/token").change(
            lambda answer: type(answer)(
                headers=answer.headers, body=answer.body.replace(b"{", b'{"issued_at": "1970-01-01T00:00:00Z", ', 1)
            )
        )
        there = (await opened.loopback(registry.host)).registry(registry.host)
        await there.ping()
        for moment in (0.0, 4e9):
            monkeypatch.setattr(time, "time", lambda moment=moment: moment)
            await there.ping()
        assert len(service.issued) == 1
