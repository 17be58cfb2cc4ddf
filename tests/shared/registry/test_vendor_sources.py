"""Known vendors' registries as a source, and their token services (docs/registries.md).

Each test simulates one behaviour on the wire and moves something through it.
"""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from yarl import URL

from shared.errors.error import LongshoreError
from shared.network.policy import NetworkPolicy
from shared.registry.realms import read_realm
from tests.scripted.answer import Answer
from tests.scripted.received_request import ReceivedRequest
from tests.scripted.registry import ScriptedRegistry
from tests.scripted.tokens import TokenService
from tests.shared.content import described, read
from tests.shared.fixtures import Opener
from tests.shared.moving import REPOSITORY
from tests.shared.registry.vendors import (
    BASIC,
    BLOBS,
    LARGE,
    MANIFEST,
    MANIFESTS,
    OCI_MANIFEST,
    SIGNATURE,
    SIZES,
    SMALL,
    UPLOADS,
    Pair,
    opened_pair,
)
from tests.shared.traps import CREDENTIAL, PASSWORD, leaks

pytestmark = pytest.mark.usefixtures("quick_tries")


@pytest.fixture
async def both(opened: Opener) -> AsyncIterator[Pair]:
    async with opened_pair(opened) as pair:
        yield pair


def refuses_authorization(storage: ScriptedRegistry) -> None:
    """Let storage reject an Authorization in addition to the address's signature, as S3 does."""

    def answer(asked: ReceivedRequest) -> Answer:
        if asked.authorization:
            return Answer(status=400, body=b"<Error><Code>InvalidArgument</Code></Error>")
        content = next(content for content in (SMALL, LARGE) if str(described(content).digest) in asked.path)
        return Answer(body=content)

    storage.on("GET", BLOBS).answer_with(answer)


@SIZES
async def test_storage_behind_a_redirect_gets_no_second_proof(both: Pair, content: bytes) -> None:
    """Docker Hub, GHCR, ECR, GitLab and others answer a blob's GET with a signed address of their storage."""
    both.source.tokens = TokenService(accounts={"alice": PASSWORD})
    both.source.on("GET", BLOBS).change(
        lambda answer: (
            answer
            if answer.status == 401
            else Answer(
                status=307,
                headers={
                    "Location": f"{both.storage.url}/v2/{REPOSITORY}/blobs/{described(content).digest}?{SIGNATURE}"
                },
            )
        )
    )
    refuses_authorization(both.storage)
    await both.move(content)
    assert leaks(both.storage) == []
    assert both.storage.requests("GET")[-1].query == SIGNATURE
    assert both.source.requests("GET", BLOBS)[-1].authorization


async def test_docker_hubs_token_service_is_trusted_with_its_password() -> None:
    """auth.docker.io for docker.io, and for no other registry; the same for GitLab.com and DigitalOcean."""
    policy, base = NetworkPolicy.of(), URL("https://registry-1.docker.io")
    for registry, realm in (
        ("docker.io", "https://auth.docker.io/token"),
        ("registry.gitlab.com", "https://gitlab.com/jwt/auth"),
        ("registry.digitalocean.com", "https://api.digitalocean.com/v2/registry/auth"),
    ):
        assert read_realm(realm, registry, base, policy).trusted
        assert not read_realm(realm, "quay.io", base, policy).trusted
        assert not read_realm(realm.replace("https://", "https://evil."), registry, base, policy).trusted


async def test_a_tag_is_resolved_without_a_metered_get(both: Pair) -> None:
    """Docker Hub counts GETs of manifests, and states the rest in headers; HEADs are not counted."""
    left = {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600"}
    both.source.on("HEAD|GET", MANIFESTS).change(
        lambda answer: replace(answer, headers={**answer.headers, **left, "docker-ratelimit-source": "192.0.2.1"})
    )
    assert str(await both.reader.resolve()) == str(described(MANIFEST).digest)
    assert [asked.method for asked in both.source.asked] == ["HEAD"]


async def test_a_pull_limit_parks_and_says_so(both: Pair) -> None:
    """Docker Hub's 429 has an error code and a message, but no time."""
    both.source.on("HEAD", MANIFESTS).answer(429)
    with pytest.raises(LongshoreError) as caught:
        await both.reader.resolve()
    assert caught.value.code == "source_rate_limited"
    assert len(both.source.asked) == 1


async def test_a_registry_without_head_for_manifests_is_asked_by_get(both: Pair) -> None:
    """The specification wants HEAD; some answer it with 405, or 404 without a body."""
    both.source.on("HEAD", MANIFESTS).answer(405)
    assert await both.reader.resolve() == described(MANIFEST).digest


async def test_a_head_without_a_digest_is_followed_by_get(both: Pair) -> None:
    """Docker-Content-Digest is optional."""
    both.source.on("HEAD", MANIFESTS).set_header("Docker-Content-Digest", None)
    assert await both.reader.resolve() == described(MANIFEST).digest


async def test_a_source_that_ignores_ranges_costs_bytes_and_no_upload(both: Pair) -> None:
    """Distribution without a cache answers 200 to a Range: the running upload skips the bytes that it has."""
    both.source.on("GET", BLOBS, times=1).cut_after(3_000_000)

    def whole(answer: Answer) -> Answer:
        headers = {name: value for name, value in answer.headers.items() if name != "Content-Range"}
        return replace(answer, status=200, headers=headers, body=LARGE)

    both.source.on("GET", BLOBS).change(whole)
    await both.move(LARGE)
    assert len(both.target.requests("POST")) == 1


async def test_only_closed_ranges_are_asked_for(both: Pair) -> None:
    """Some registries reject open ranges; docker-registry 2.8 sends invalid data for one that starts at the end."""
    both.source.on("GET", BLOBS, times=1).cut_after(3_000_000)
    await both.move(LARGE)
    ranges = [asked.headers["range"] for asked in both.source.requests("GET", BLOBS)[1:]]
    assert ranges
    assert all(wanted.startswith("bytes=") and wanted.endswith(f"-{len(LARGE) - 1}") for wanted in ranges)


async def test_a_registry_that_looks_at_accept_sees_one_only_for_manifests(both: Pair) -> None:
    """Artifactory answers 406 if a request for another resource accepts manifest types."""
    both.source.on("GET|HEAD", BLOBS).answer_with(
        lambda asked: Answer(status=406) if "manifest" in asked.headers.get("accept", "") else Answer(body=SMALL)
    )
    await both.move(SMALL)
    await both.reader.resolve()
    assert OCI_MANIFEST in both.source.requests("HEAD", MANIFESTS)[0].headers["accept"]


async def test_a_token_service_beside_the_registry_is_asked_with_the_account(opened: Opener) -> None:
    """GHCR, Quay, Harbor, ACR and Artifact Registry have it on the registry's host; ACR calls it access_token."""
    service = TokenService(accounts={"alice": PASSWORD}, member="access_token")
    async with ScriptedRegistry(tokens=service) as registry:
        registry.add_blob(REPOSITORY, SMALL)
        there = (await opened.loopback(registry.host)).registry(registry.host, CREDENTIAL).repository(REPOSITORY)
        assert await read(there, described(SMALL)) == SMALL
        assert [token.account for token in service.issued] == ["alice"]


async def test_a_token_service_elsewhere_is_asked_with_the_account_once_listed(opened: Opener) -> None:
    """A self-hosted GitLab with deploy tokens, and Alibaba's registries: TOKEN_REALMS names the other host."""
    service = TokenService(accounts={"deploy-token": "gldt-secret"})
    async with ScriptedRegistry(tokens=service) as gitlab:
        realm = f"localhost:{gitlab.port}"
        async with ScriptedRegistry(tokens=service, realm=f"http://{realm}/jwt/auth") as registry:
            gitlab.on("GET", "/jwt/auth").answer_with(service.answer)
            registry.add_blob(REPOSITORY, SMALL)
            credential = type(CREDENTIAL)("deploy-token", "gldt-secret")
            for realms in ({}, {registry.host: realm}):
                policy = NetworkPolicy.of(
                    allowed_private=["127.0.0.0/8", "::1"], plain_http=[registry.host, realm], token_realms=realms
                )
                there = (await opened(policy)).registry(registry.host, credential).repository(REPOSITORY)
                if realms:
                    assert await read(there, described(SMALL)) == SMALL
                else:
                    with pytest.raises(LongshoreError, match="TOKEN_REALMS"):
                        await read(there, described(SMALL))


async def test_a_challenge_without_a_service_is_answered(opened: Opener) -> None:
    """Artifact Registry names only a realm at /v2/."""
    service = TokenService()
    async with ScriptedRegistry(tokens=service) as registry:
        refused = Answer(status=401, headers={"WWW-Authenticate": f'Bearer realm="{registry.url}/token"'})
        registry.on("GET", "/v2/", times=1).answer_with(lambda _: refused)
        registry.tokens = None
        registry.on("GET", "/token").answer_with(service.answer)
        await (await opened.loopback(registry.host)).registry(registry.host).ping()
        assert "service" not in registry.requests("GET", "/token")[0].query


@SIZES
async def test_a_registry_with_basic_alone_is_pushed_to(both: Pair, content: bytes) -> None:
    """ECR knows no token service: the password is its own token."""
    for registry in (both.source, both.target):
        registry.on("GET|HEAD|POST", "/v2/.*", times=1).answer(401, headers=BASIC)
    await both.move(content)
    uploads = both.target.requests("PUT|PATCH", UPLOADS)
    assert all((asked.authorization or "").startswith("Basic ") for asked in uploads)
