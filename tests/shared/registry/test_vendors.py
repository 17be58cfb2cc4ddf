"""What registries of known vendors do otherwise than a reader of the specification expects (docs/registries.md).

Each test plays one behaviour on the wire and moves something through it.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
from yarl import URL

from import_worker.adapters.registry_target import RegistryTarget
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.network.policy import NetworkPolicy
from shared.registry.realms import read_realm
from shared.registry.source import RegistrySource
from tests.scripted.answer import Answer
from tests.scripted.asked import Asked
from tests.scripted.registry import ScriptedRegistry
from tests.scripted.tokens import TokenService
from tests.shared.certificates import Authority
from tests.shared.content import described, noise, read
from tests.shared.fixtures import Opener
from tests.shared.moving import REPOSITORY, move, source_at, target_at
from tests.shared.traps import CREDENTIAL, PASSWORD, leaks

pytestmark = pytest.mark.usefixtures("quick_tries")

SMALL, LARGE = noise(10_000, 41), noise(6_000_000, 42)
SIZES = pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": str(described(b"{}").digest), "size": 2},
        "layers": [],
    }
).encode()
BLOBS, MANIFESTS, UPLOADS = ".*/blobs/sha256.*", ".*/manifests/.*", ".*/blobs/uploads/.+"
SIGNATURE = "X-Amz-Signature=a%2Fb%3D"
BASIC = {"WWW-Authenticate": 'Basic realm="registry"'}


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A source and a target, each to be made like a vendor's."""

    source: ScriptedRegistry
    target: ScriptedRegistry
    storage: ScriptedRegistry
    reader: RegistrySource
    writer: RegistryTarget

    async def move(self, content: bytes) -> None:
        """Copy a blob, and see that it has arrived."""
        await move(described(content), self.reader, self.writer)
        assert self.target.blob(REPOSITORY, str(described(content).digest)) == content


@pytest.fixture
async def both(opened: Opener) -> AsyncIterator[Pair]:
    async with ScriptedRegistry() as source, ScriptedRegistry() as target, ScriptedRegistry() as storage:
        for content in (SMALL, LARGE):
            source.add_blob(REPOSITORY, content)
            storage.add_blob(REPOSITORY, content)
        source.add_manifest(REPOSITORY, "1", MANIFEST, OCI_MANIFEST)
        reading = await opened.loopback(source.host, storage.host)
        writing = await opened.loopback(target.host, side=Side.TARGET)
        yield Pair(
            source=source,
            target=target,
            storage=storage,
            reader=source_at(reading, source.host, CREDENTIAL),
            writer=target_at(writing, target.host, CREDENTIAL),
        )


def refuses_authorization(storage: ScriptedRegistry) -> None:
    """Let storage refuse what brings a second proof beside its address's signature, as S3 does."""

    def answer(asked: Asked) -> Answer:
        if asked.authorization:
            return Answer(status=400, body=b"<Error><Code>InvalidArgument</Code></Error>")
        content = next(content for content in (SMALL, LARGE) if str(described(content).digest) in asked.path)
        return Answer(body=content)

    storage.on("GET", BLOBS).answer_with(answer)


# Sources.


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
    """Docker Hub counts GETs of manifests, and tells what is left; HEADs are not counted."""
    left = {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600"}
    both.source.on("HEAD|GET", MANIFESTS).change(
        lambda answer: replace(answer, headers={**answer.headers, **left, "docker-ratelimit-source": "192.0.2.1"})
    )
    assert str(await both.reader.resolve()) == str(described(MANIFEST).digest)
    assert [asked.method for asked in both.source.asked] == ["HEAD"]


async def test_a_pull_limit_parks_and_says_so(both: Pair) -> None:
    """Docker Hub's 429 has an error code, words, and no time in it."""
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
    """Distribution without a cache answers 200 to a Range: the upload under way goes on past what it has."""
    both.source.on("GET", BLOBS, times=1).cut_after(3_000_000)

    def whole(answer: Answer) -> Answer:
        headers = {name: value for name, value in answer.headers.items() if name != "Content-Range"}
        return replace(answer, status=200, headers=headers, body=LARGE)

    both.source.on("GET", BLOBS).change(whole)
    await both.move(LARGE)
    assert len(both.target.requests("POST")) == 1


async def test_only_closed_ranges_are_asked_for(both: Pair) -> None:
    """Some take no open ones; docker-registry 2.8 sends nonsense for one that starts at the blob's end."""
    both.source.on("GET", BLOBS, times=1).cut_after(3_000_000)
    await both.move(LARGE)
    ranges = [asked.headers["range"] for asked in both.source.requests("GET", BLOBS)[1:]]
    assert ranges
    assert all(wanted.startswith("bytes=") and wanted.endswith(f"-{len(LARGE) - 1}") for wanted in ranges)


async def test_a_registry_that_looks_at_accept_sees_one_only_for_manifests(both: Pair) -> None:
    """Artifactory answers 406 where the types of manifests are asked for in requests of other things."""
    both.source.on("GET|HEAD", BLOBS).answer_with(
        lambda asked: Answer(status=406) if "manifest" in asked.headers.get("accept", "") else Answer(body=SMALL)
    )
    await both.move(SMALL)
    await both.reader.resolve()
    assert OCI_MANIFEST in both.source.requests("HEAD", MANIFESTS)[0].headers["accept"]


# Who we are.


async def test_a_token_service_beside_the_registry_is_asked_with_the_account(opened: Opener) -> None:
    """GHCR, Quay, Harbor, ACR and Artifact Registry have it on the registry's host; ACR calls it access_token."""
    service = TokenService(accounts={"alice": PASSWORD}, member="access_token")
    async with ScriptedRegistry(tokens=service) as registry:
        registry.add_blob(REPOSITORY, SMALL)
        there = (await opened.loopback(registry.host)).registry(registry.host, CREDENTIAL).repository(REPOSITORY)
        assert await read(there, described(SMALL)) == SMALL
        assert [token.account for token in service.issued] == ["alice"]


async def test_a_token_service_elsewhere_is_asked_with_the_account_once_listed(opened: Opener) -> None:
    """A GitLab of one's own, with deploy tokens, and Alibaba's registries: TOKEN_REALMS names the other host."""
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


# Targets.


@SIZES
@pytest.mark.parametrize("relative", [True, False])
async def test_an_upload_goes_where_the_registry_says(both: Pair, content: bytes, relative: bool) -> None:
    """GHCR, Artifact Registry and Harbor (relativeurls) give a path, docker-registry a whole address."""
    if relative:
        both.target.on("POST|PATCH", ".*/uploads/.*").set_header(
            "Location", lambda said: said.removeprefix(both.target.url)
        )
    await both.move(content)


@SIZES
async def test_a_registry_behind_a_tls_proxy_may_think_it_has_none(
    opened: Opener, authority: Authority, content: bytes
) -> None:
    """Behind nginx without X-Forwarded-Proto Harbor, GitLab and others say http in Location: we stay with TLS."""
    context = authority.server("proxied").context()
    async with ScriptedRegistry() as source, ScriptedRegistry(tls=context) as target:
        source.add_blob(REPOSITORY, content)
        target.on("POST|PATCH", ".*/uploads/.*").set_header(
            "Location", lambda said: said.replace("https://", "http://")
        )
        policy = NetworkPolicy.of(trusted=True, ca_files={target.host: str(authority.file)})
        writer = target_at(await opened(policy, Side.TARGET), target.host)
        await move(described(content), source_at(await opened.loopback(source.host), source.host), writer)
        assert target.blob(REPOSITORY, str(described(content).digest)) == content


async def test_a_location_in_clear_on_another_port_is_refused(opened: Opener, authority: Authority) -> None:
    """That is another server, whoever runs it."""
    async with ScriptedRegistry() as trap, ScriptedRegistry(tls=authority.server("other-port").context()) as target:
        target.on("POST", ".*").set_header("Location", f"http://127.0.0.1:{trap.port}/upload")
        policy = NetworkPolicy.of(trusted=True, ca_files={target.host: str(authority.file)}, plain_http=[trap.host])
        with pytest.raises(LongshoreError, match="target_protocol_error"):
            await target_at(await opened(policy, Side.TARGET), target.host).start_upload()
        assert trap.connections == 0


@pytest.mark.parametrize("status", [201, 204])
async def test_a_part_may_be_taken_with_another_status(both: Pair, status: int) -> None:
    """ECR answers PATCH with 201, Pulp with 204, where the specification says 202."""
    both.target.on("PATCH", UPLOADS).set_status(status)
    await both.move(LARGE)


async def test_a_range_that_stands_still_is_not_believed(both: Pair) -> None:
    """ECR's Range stays at the first part: what counts is the digest at the end."""
    both.target.on("PATCH|GET", UPLOADS).set_header("Range", "0-999")
    await both.move(LARGE)


async def test_after_a_cut_a_range_that_lies_costs_a_try_and_no_content(both: Pair) -> None:
    """A continued upload that is wrong fails by its digest; the blob is then sent from its start."""
    both.target.on("PATCH", UPLOADS, times=1).cut_after(4_000_000)
    both.target.on("GET", UPLOADS, times=1).set_header("Range", "0-999")
    await both.move(LARGE)


async def test_a_large_blob_is_no_chunk(both: Pair) -> None:
    """GHCR takes Content-Range for a chunk of at most 4 MiB and answers 416; Artifact Registry takes no chunks."""

    def limited(answer: Answer) -> Answer:
        ranged = [asked for asked in both.target.requests("PATCH|PUT") if "content-range" in asked.headers]
        return Answer(status=416) if ranged else answer

    assert len(LARGE) > 4 * 1024 * 1024
    both.target.on("PATCH|PUT", UPLOADS).change(limited)
    await both.move(LARGE)


async def test_a_registry_that_takes_no_whole_put_gets_its_large_blobs_by_patch(both: Pair) -> None:
    """Artifactory is known to want PATCH, then an empty PUT, as docker push does."""
    await both.move(LARGE)
    assert [asked.received for asked in both.target.requests("PATCH", UPLOADS)] == [len(LARGE)]
    assert [asked.received for asked in both.target.requests("PUT", UPLOADS)] == [0]


@SIZES
@pytest.mark.parametrize("status", [202, 401, 403, 404, 405, 500])
async def test_a_mount_that_is_not_done_becomes_an_upload(both: Pair, content: bytes, status: int) -> None:
    """ECR answers 202 unless blob mounting is switched on; others refuse across projects."""
    rule = both.target.on("POST", ".*/uploads/", times=1)
    if status != 202:
        rule.refuse(status, "DENIED")
    upload = await both.writer.mount_blob(described(content), "team/base")
    assert upload is not None
    await both.move(content)


@SIZES
@pytest.mark.parametrize("lingers", [True, False], ids=["read on", "reset"])
async def test_a_proxys_size_limit_is_told_at_once(both: Pair, content: bytes, lingers: bool) -> None:
    """A proxy before Harbor answers 413 before it has the body, in HTML; another try would only cost as much again."""
    page = b"<html><head><title>413 Request Entity Too Large</title></head></html>"
    both.target.on("PUT|PATCH", UPLOADS).answer(413, page).early(0, lingers=lingers)
    with pytest.raises(LongshoreError) as caught:
        await both.move(content)
    assert caught.value.code == "target_refused"
    assert "413" in caught.value.detail
    assert "<" not in caught.value.detail
    assert len(both.target.requests("PUT|PATCH", UPLOADS)) == 1


async def test_a_proxy_that_buffers_may_answer_late(both: Pair) -> None:
    """With request buffering, nginx takes the whole body before the registry sees any of it."""
    both.target.on("PATCH|PUT", UPLOADS).delay(1.5)
    await both.move(LARGE)


@pytest.mark.parametrize("status", [404, 416])
async def test_a_lost_session_costs_one_more_upload(both: Pair, status: int) -> None:
    """Docker-registry 2.8 and Harbor forget a session whose PATCH was cut; Quay answers 416 to what does not fit."""
    both.target.on("PATCH", UPLOADS, times=1).cut_after(2_000_000)
    both.target.on("GET|PATCH", UPLOADS, times=1).answer(status)
    await both.move(LARGE)


async def test_a_lost_answer_to_the_last_request_is_no_failure(both: Pair) -> None:
    """A load balancer that drops the connection after the commit: the blob is there, and is found."""
    both.target.on("PUT", UPLOADS, times=1).lose_answer()
    await both.move(LARGE)
    assert len(both.target.requests("PATCH")) == 1
