"""Faults between Longshore and Harbor's API, scripted at the wire."""

import json
import time
from dataclasses import replace

import aiohttp
import pytest

from shared.errors.error import LongshoreError
from shared.harbor import pages
from shared.harbor.api import MAX_RESPONSE_SIZE
from shared.harbor.client import Harbor
from shared.oci.digest import Digest
from tests.scripted.hostile import Answer, HostileRegistry
from tests.shared.harbor.conftest import ADMIN, Opener
from tests.shared.harbor.test_projects import harbor_error

STATISTICS = "/api/v2.0/statistics"
PROJECTS = "/api/v2.0/projects"
DIGEST = Digest.of(b"anything")
ARTIFACT = f"/api/v2.0/projects/p/repositories/r/artifacts/{DIGEST}"
FIGURES = Answer(body=b'{"total_project_count": 1, "total_storage_consumption": 7}')
ONE_TAG = Answer(headers={"X-Total-Count": "1"}, body=b'[{"name": "1.0"}]')
PAGE = json.dumps([{"project_id": n, "name": f"p{n}"} for n in range(1, 101)]).encode()


async def failure(harbor: Harbor) -> LongshoreError:
    with pytest.raises(LongshoreError) as caught:
        await harbor.statistics()
    return caught.value


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (harbor_error(401, "UNAUTHORIZED"), "target_denied"),
        (harbor_error(403, "FORBIDDEN"), "target_denied"),
        (harbor_error(403, "DENIED", "The system is in read only mode."), "target_read_only"),
        (harbor_error(404, "NOT_FOUND"), "target_not_found"),
        (Answer(status=404, body=b"404 page not found"), "target_protocol_error"),
        (harbor_error(400, "BAD_REQUEST"), "target_refused"),
        (harbor_error(412, "VIOLATE_FOREIGN_KEY_CONSTRAINT"), "target_artifact_referenced"),
        (harbor_error(412, "PRECONDITION", "the tag 1 configured as immutable, no"), "target_immutable_tag"),
        (harbor_error(412, "PRECONDITION", "the tag 1 with signature cannot be deleted"), "target_delete_refused"),
        (harbor_error(429, "TOO_MANY_REQUESTS"), "target_rate_limited"),
        (harbor_error(500, "UNKNOWN", "internal server error"), "target_unavailable"),
        (Answer(status=502, body=b"<html>bad gateway</html>"), "target_unavailable"),
        (Answer(status=503), "target_unavailable"),
        (Answer(status=501), "target_protocol_error"),
        (Answer(body=b"<!doctype html><title>Harbor</title>"), "target_protocol_error"),
        (Answer(body=b"[]"), "target_protocol_error"),
        (Answer(body=b'{"total_project_count": "many"}'), "target_protocol_error"),
        (Answer(body=b'{"total_project_count": -1}'), "target_protocol_error"),
        (Answer(body=b"{" * 100_000), "target_protocol_error"),
        (Answer(length=100, body=b"{", close=True), "target_unavailable"),
        (Answer(raw=b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "target_protocol_error"),
        (Answer(status=200, length=None, endless=True), "target_protocol_error"),
    ],
)
async def test_every_answer_has_its_code(against: Harbor, hostile: HostileRegistry, answer: Answer, code: str) -> None:
    hostile.on("GET", STATISTICS, answer)
    error = await failure(against)
    assert error.code == code
    assert error.kind.side == "target"
    assert hostile.host in error.detail


async def test_harbors_own_words_are_in_the_sentence(against: Harbor, hostile: HostileRegistry) -> None:
    hostile.on("GET", STATISTICS, harbor_error(400, "BAD_REQUEST", "no such thing"))
    expected = f"{hostile.host} answered 400 while asking for its statistics: no such thing."
    assert (await failure(against)).detail == expected


async def test_the_password_is_in_no_message(against: Harbor, hostile: HostileRegistry) -> None:
    """This holds even if a server repeats the request in its answer."""
    sent = ADMIN.basic()
    hostile.on("GET", STATISTICS, harbor_error(400, "BAD_REQUEST", f"cannot read {sent} of {ADMIN.password}"))
    detail = (await failure(against)).detail
    assert ADMIN.password not in detail
    assert sent.partition(" ")[2] not in detail
    assert "[secret]" in detail


@pytest.mark.parametrize("first", [Answer(status=502), Answer(reset=True, raw=b""), harbor_error(500, "UNKNOWN")])
async def test_a_passing_fault_is_tried_again(against: Harbor, hostile: HostileRegistry, first: Answer) -> None:
    """Only one level of the client retries, a few times."""
    hostile.on("GET", STATISTICS, first, first, FIGURES)
    assert (await against.statistics()).storage == 7
    assert len(hostile.requests("GET")) == 3


async def test_a_lasting_fault_is_not_retried_without_end(against: Harbor, hostile: HostileRegistry) -> None:
    hostile.on("GET", STATISTICS, Answer(status=503))
    assert (await failure(against)).code == "target_unavailable"
    assert len(hostile.requests("GET")) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 412])
async def test_a_refusal_is_not_tried_again(against: Harbor, hostile: HostileRegistry, status: int) -> None:
    hostile.on("GET", STATISTICS, harbor_error(status, "WHATEVER"))
    await failure(against)
    assert len(hostile.requests("GET")) == 1


async def test_a_short_rate_limit_is_waited_for(against: Harbor, hostile: HostileRegistry) -> None:
    hostile.on("GET", STATISTICS, Answer(status=429, headers={"Retry-After": "1"}), FIGURES)
    started = time.monotonic()
    assert (await against.statistics()).storage == 7
    assert time.monotonic() - started >= 1


async def test_a_long_rate_limit_is_reported(against: Harbor, hostile: HostileRegistry) -> None:
    hostile.on("GET", STATISTICS, Answer(status=429, headers={"Retry-After": "120"}))
    error = await failure(against)
    assert (error.code, error.retry_after) == ("target_rate_limited", 120.0)
    assert len(hostile.requests("GET")) == 1


async def test_a_delete_whose_answer_was_lost_is_repeated(against: Harbor, hostile: HostileRegistry) -> None:
    """The second attempt gets 404, which means success."""
    hostile.on("GET", f"{ARTIFACT}/tags", ONE_TAG)
    hostile.on("DELETE", ARTIFACT, Answer(raw=b"", reset=True), harbor_error(404, "NOT_FOUND"))
    await against.delete_tag_or_artifact("p", "r", DIGEST, "1.0")
    assert len(hostile.requests("DELETE")) == 2


async def test_only_harbors_own_404_means_gone(against: Harbor, hostile: HostileRegistry) -> None:
    """A 404 of a misconfigured proxy must not make existing images count as deleted."""
    hostile.on("GET", f"{ARTIFACT}/tags", Answer(status=404, body=b"default backend - 404"))
    with pytest.raises(LongshoreError, match="answered 404, but not as Harbor does") as caught:
        await against.delete_tag_or_artifact("p", "r", DIGEST, "1.0")
    assert caught.value.code == "target_protocol_error"
    hostile.on("GET", f"{ARTIFACT}/tags", ONE_TAG)
    hostile.on("DELETE", ARTIFACT, Answer(status=404, body=b"default backend - 404"))
    with pytest.raises(LongshoreError):
        await against.delete_tag_or_artifact("p", "r", DIGEST, "1.0")


async def test_credentials_do_not_follow_a_redirect(opened: Opener, hostile: HostileRegistry) -> None:
    """The credentials are for the host that the operator configured."""
    async with HostileRegistry() as trap:
        trap.on("GET", STATISTICS, harbor_error(401, "UNAUTHORIZED"))
        hostile.on("GET", STATISTICS, Answer(status=302, headers={"Location": f"{trap.url}{STATISTICS}"}))
        harbor = await opened(hostile.host)
        with pytest.raises(LongshoreError):
            await harbor.statistics()
        assert "authorization" in hostile.asked[0].headers
        assert all("authorization" not in asked.headers for asked in trap.asked)


async def test_a_link_to_another_host_is_not_called(against: Harbor, hostile: HostileRegistry) -> None:
    """The client concludes that the list is incomplete, but does not request the link."""
    async with HostileRegistry() as trap:
        link = f'<{trap.url}/api/v2.0/projects?page=2>; rel="next"'
        hostile.on("GET", PROJECTS, Answer(headers={"Link": link}, body=PAGE), Answer(body=b"[]"))
        assert len([project async for project in against.projects.all()]) == 100
        assert trap.asked == []
    assert [asked.query for asked in hostile.requests("GET")] == [
        "with_detail=false&page=1&page_size=100",
        "with_detail=false&page=2&page_size=100",
    ]


async def test_a_short_page_with_a_next_one_is_not_the_last(against: Harbor, hostile: HostileRegistry) -> None:
    """A server may return fewer entries than requested; its Link header says that there are more."""
    first = Answer(headers={"Link": '</x?page=2>; rel="next"'}, body=b'[{"project_id": 1, "name": "a"}]')
    last = Answer(headers={"Link": '</x?page=1>; rel="prev"'}, body=b'[{"project_id": 2, "name": "b"}]')
    hostile.on("GET", PROJECTS, first, last)
    assert [project.name async for project in against.projects.all()] == ["a", "b"]


@pytest.mark.parametrize("headers", [{"Link": '</x>; rel="next"'}, {"X-Total-Count": "99999999"}, {}])
async def test_a_list_without_an_end_stops(
    against: Harbor, hostile: HostileRegistry, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MAX_PAGES", 3)
    hostile.on("GET", PROJECTS, Answer(headers=headers, body=PAGE))
    with pytest.raises(LongshoreError, match="more than 3 pages") as caught:
        [project async for project in against.projects.all()]
    assert caught.value.code == "target_protocol_error"
    assert len(hostile.requests("GET")) == 3


async def test_an_empty_page_ends_a_list(against: Harbor, hostile: HostileRegistry) -> None:
    """The headers do not matter; and Go's null is an empty page."""
    hostile.on("GET", PROJECTS, Answer(headers={"X-Total-Count": "500"}, body=b"null"))
    assert [project async for project in against.projects.all()] == []


async def test_an_answer_beyond_the_limit_is_not_read(against: Harbor, hostile: HostileRegistry) -> None:
    hostile.on("GET", STATISTICS, Answer(body=b"{}" + b" " * MAX_RESPONSE_SIZE))
    assert (await failure(against)).code == "target_protocol_error"


async def test_silence_is_a_stall(against: Harbor, hostile: HostileRegistry) -> None:
    """The test uses a shorter timeout than the product."""
    hostile.on("GET", STATISTICS, Answer(hang=True, length=10))
    request = against._api.get("/statistics", "waiting")
    with pytest.raises(LongshoreError) as caught:
        await against._api.send(replace(request, timeout=aiohttp.ClientTimeout(total=0.2)))
    assert caught.value.code == "target_stalled"


async def test_an_unreachable_target_is_the_targets_failure(opened: Opener) -> None:
    async with HostileRegistry() as server:
        host = server.host
    error = await failure(await opened(host))
    assert error.code == "target_unreachable"
    assert error.kind.retryable
