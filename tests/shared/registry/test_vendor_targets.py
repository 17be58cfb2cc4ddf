"""Known vendors' registries as a target (docs/registries.md).

Each test simulates one behaviour on the wire and moves something through it.
"""

from collections.abc import AsyncIterator

import pytest

from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.network.policy import NetworkPolicy
from tests.scripted.answer import Answer
from tests.scripted.registry import ScriptedRegistry
from tests.shared.certificates import Authority
from tests.shared.content import described
from tests.shared.fixtures import Opener
from tests.shared.moving import REPOSITORY, move, source_at, target_at
from tests.shared.registry.vendors import LARGE, SIZES, UPLOADS, Pair, opened_pair

pytestmark = pytest.mark.usefixtures("quick_tries")


@pytest.fixture
async def both(opened: Opener) -> AsyncIterator[Pair]:
    async with opened_pair(opened) as pair:
        yield pair


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
    """Without X-Forwarded-Proto, Harbor, GitLab and others behind nginx send http in Location: Longshore keeps TLS."""
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
    """Another port is another server."""
    async with ScriptedRegistry() as trap, ScriptedRegistry(tls=authority.server("other-port").context()) as target:
        target.on("POST", ".*").set_header("Location", f"http://127.0.0.1:{trap.port}/upload")
        policy = NetworkPolicy.of(trusted=True, ca_files={target.host: str(authority.file)}, plain_http=[trap.host])
        with pytest.raises(LongshoreError, match="target_protocol_error"):
            await target_at(await opened(policy, Side.TARGET), target.host).start_upload()
        assert trap.connections == 0


@pytest.mark.parametrize("status", [201, 204])
async def test_a_part_may_be_taken_with_another_status(both: Pair, status: int) -> None:
    """ECR answers PATCH with 201, Pulp with 204; the specification says 202."""
    both.target.on("PATCH", UPLOADS).set_status(status)
    await both.move(LARGE)


async def test_a_range_that_stands_still_is_not_believed(both: Pair) -> None:
    """ECR's Range stays at the first part: the digest at the end decides."""
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
async def test_a_proxys_size_limit_is_reported_at_once(both: Pair, content: bytes, lingers: bool) -> None:
    """A proxy before Harbor answers 413 in HTML before it has the body; a retry would only cost as much again."""
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
    """Docker-registry 2.8 and Harbor forget a session whose PATCH was cut; Quay answers 416 to a wrong offset."""
    both.target.on("PATCH", UPLOADS, times=1).cut_after(2_000_000)
    both.target.on("GET|PATCH", UPLOADS, times=1).answer(status)
    await both.move(LARGE)


async def test_a_lost_answer_to_the_last_request_is_no_failure(both: Pair) -> None:
    """A load balancer drops the connection after the commit; the client finds the blob."""
    both.target.on("PUT", UPLOADS, times=1).lose_answer()
    await both.move(LARGE)
    assert len(both.target.requests("PATCH")) == 1
