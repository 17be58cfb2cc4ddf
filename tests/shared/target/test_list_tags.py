"""Lists a repository's tags page by page, from well-behaved registries and a hostile one."""

import json

import pytest

from deploy.local.stack import Registry as RegistryServer
from deploy.local.stack import Remote, synthetic_image
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.network.policy import NetworkPolicy
from shared.registry.client import open_registries
from shared.registry.pages import MAX_TAG_PAGES
from tests.scripted.hostile import Answer, HostileRegistry, error
from tests.scripted.received_request import ReceivedRequest

PATH = "/v2/team/app/tags/list"


def page(*tags: str, link: str = "") -> Answer:
    headers = {"Content-Type": "application/json"} | ({"Link": link} if link else {})
    return Answer(headers=headers, body=json.dumps({"name": "team/app", "tags": tags}).encode())


async def listed(host: str, repository: str = "team/app") -> tuple[str, ...]:
    policy = NetworkPolicy.of(plain_http=[host], trusted=True)
    async with open_registries(policy, Side.TARGET) as registries:
        return await registries.registry(host).repository(repository).list_tags()


async def refusal(server: HostileRegistry) -> LongshoreError:
    with pytest.raises(LongshoreError) as caught:
        await listed(server.host)
    assert caught.value.code == "target_protocol_error"
    return caught.value


async def test_docker_registry_lists_all_tags(target_registry: RegistryServer, repository: str) -> None:
    """A repository that does not exist, or has lost its last tag, has no tags."""
    assert await listed(target_registry.host, repository) == ()
    image = synthetic_image("listed", [500])
    for tag in ("b", "a", "1.0"):
        Remote.of(target_registry).push(repository, tag, image)
    assert set(await listed(target_registry.host, repository)) == {"1.0", "a", "b"}
    Remote.of(target_registry).delete_manifest(repository, image.digest)
    assert await listed(target_registry.host, repository) == ()


async def test_pages_are_followed_to_the_end(hostile: HostileRegistry) -> None:
    """The client follows the Link header, relative or absolute, with every parameter that the registry added."""
    hostile.on(
        "GET",
        PATH,
        page("a", "b", link=f'<{PATH}?n=2&last=b>; rel="next"'),
        page("b", "c", link=f"<{hostile.url}{PATH}?token=x%3Dy>; rel=next"),
        page("d"),
    )
    assert await listed(hostile.host) == ("a", "b", "c", "d")
    assert [asked.query for asked in hostile.requests("GET")] == ["n=1000", "n=2&last=b", "token=x%3Dy"]


async def test_a_link_that_is_no_next_page_ends_the_list(hostile: HostileRegistry) -> None:
    """Only a link with rel="next" leads to another page."""
    hostile.on("GET", PATH, page("a", link=f'<{PATH}?n=1>; rel="prev"'))
    assert await listed(hostile.host) == ("a",)


@pytest.mark.parametrize("link", ["http://127.0.0.2/v2/team/app/tags/list", "//elsewhere.example/x", "ftp:x"])
async def test_a_link_to_another_server_is_not_followed(hostile: HostileRegistry, link: str) -> None:
    """The credentials are for this server alone."""
    hostile.on("GET", PATH, page("a", link=f'<{link}>; rel="next"'))
    assert "another server" in (await refusal(hostile)).detail


async def test_a_list_without_an_end_is_given_up(hostile: HostileRegistry) -> None:
    """The client stops after a bounded number of pages."""

    def endless(asked: ReceivedRequest) -> Answer:
        return page("a", link=f'<{PATH}?last={asked.query[-3:]}>; rel="next"')

    hostile.on("GET", PATH, endless)
    assert "pages" in (await refusal(hostile)).detail
    assert len(hostile.requests("GET")) == MAX_TAG_PAGES


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"tags": 1}', b'{"tags": ["a/b"]}', b'{"name": "team/app"}'])
async def test_what_is_no_list_is_refused(hostile: HostileRegistry, body: bytes) -> None:
    """Only a valid list counts as "no tags"."""
    hostile.on("GET", PATH, Answer(body=body))
    await refusal(hostile)


async def test_an_unknown_repository_has_no_tags(hostile: HostileRegistry) -> None:
    """The answer is 404 NAME_UNKNOWN, as in the specification."""
    hostile.on("GET", PATH, error(404, "NAME_UNKNOWN"))
    assert await listed(hostile.host) == ()
