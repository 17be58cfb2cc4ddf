"""Artifacts and tags, found under names that have slashes."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.harbor.rules import Rule
from deploy.local.harbor.server import immutable_rule
from deploy.local.image import OCI, Image
from shared.errors import LongshoreError
from shared.harbor.addresses import artifacts_path, repository_segment, segment, split_repository
from shared.harbor.client import Harbor
from shared.oci.digest import Digest
from tests.harbor.conftest import PROJECT, StandIn

COMPONENTS = st.from_regex(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", fullmatch=True)
NAMES = st.lists(COMPONENTS, min_size=1, max_size=6).map("/".join)


@given(NAMES)
def test_a_name_survives_both_decodings(name: str) -> None:
    """One for the path as a whole, which must not find a slash in the name, and one by Harbor's handler."""
    once = unquote(repository_segment(name))
    assert "/" not in once
    assert unquote(once) == name


@given(st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: text.strip(".")))
def test_a_segment_stays_one_segment(text: str) -> None:
    """Whatever is put into a path can neither end its segment nor the path."""
    encoded = segment(text)
    assert not set("/?#%") & set(encoded.replace("%", "", encoded.count("%")))
    assert unquote(encoded) == text


@pytest.mark.parametrize("text", ["", ".", "..", "..."])
def test_dots_alone_are_no_segment(text: str) -> None:
    """They would be steps up the path."""
    with pytest.raises(ValueError, match="cannot stand in a path"):
        segment(text)


def test_slashes_are_encoded_twice() -> None:
    """The API description's own example: a/b -> a%2Fb -> a%252Fb."""
    assert repository_segment("a/b") == "a%252Fb"
    assert artifacts_path("p", "a/b") == "/projects/p/repositories/a%252Fb/artifacts"


@given(COMPONENTS, NAMES)
def test_the_first_part_of_a_repository_is_its_project(project: str, name: str) -> None:
    assert split_repository(f"{project}/{name}") == (project, name)


@pytest.mark.parametrize("name", ["nginx", "/nginx", "nginx/", ""])
def test_there_is_no_repository_without_a_project(name: str) -> None:
    with pytest.raises(ValueError, match="no Harbor project"):
        split_repository(name)


@pytest.mark.parametrize("depth", [1, 2, 5])
async def test_names_of_any_depth_reach_harbor(standin: StandIn, harbor: Harbor, single: Image, depth: int) -> None:
    name = "/".join(f"p{number}.x_y--z" for number in range(depth))
    await standin.push(f"{PROJECT}/{name}", "1.0", single)
    found = await harbor.artifacts(PROJECT, name).find("1.0")
    assert found is not None
    assert str(found.digest) == single.digest


async def test_an_artifact_has_all_that_was_pushed(standin: StandIn, harbor: Harbor, name: str, image: Image) -> None:
    await standin.push(f"{PROJECT}/{name}", "1.0", image)
    await standin.put(f"{PROJECT}/{name}", "latest", image.root)
    artifacts = harbor.artifacts(PROJECT, name)
    by_tag, by_digest = await artifacts.find("1.0"), await artifacts.find(image.digest)
    assert by_tag == by_digest
    assert by_tag is not None
    assert by_tag.media_type == OCI.index
    assert by_tag.references == tuple(Digest.parse(child.digest) for child in image.children)
    assert {tag.name for tag in by_tag.tags} == {"1.0", "latest"}
    assert by_tag.push_time is not None


async def test_an_artifact_without_tags_is_read_as_such(
    standin: StandIn, harbor: Harbor, name: str, image: Image
) -> None:
    """Go writes no tags as null."""
    await standin.push(f"{PROJECT}/{name}", "1.0", image)
    child = await harbor.artifacts(PROJECT, name).find(image.children[0].digest)
    assert b'"tags": null' in standin.recorder.exchanges[-1].answer
    assert child is not None
    assert child.tags == ()
    assert child.references == ()


async def test_what_is_not_there_is_none(standin: StandIn, harbor: Harbor, name: str, single: Image) -> None:
    assert await harbor.artifacts(PROJECT, name).find("1.0") is None
    assert await harbor.artifacts("nowhere", name).find("1.0") is None
    await standin.push(f"{PROJECT}/{name}", "1.0", single)
    assert await harbor.artifacts(PROJECT, name).find("2.0") is None


async def test_all_tags_are_listed(standin: StandIn, harbor: Harbor, name: str, single: Image) -> None:
    repository = f"{PROJECT}/{name}"
    await standin.push(repository, "v0", single)
    for number in range(1, 250):
        standin.state.set_tag(standin.state.repository(repository), f"v{number}", single.digest)
    standin.state.project(PROJECT).rules[1] = Rule.from_json(immutable_rule("docker.io/**", "v7"))
    tags = [tag async for tag in harbor.artifacts(PROJECT, name).tags(Digest.parse(single.digest))]
    assert len(tags) == 250
    assert [tag.name for tag in tags if tag.immutable] == ["v7"]


async def test_tags_of_nothing_are_an_error(harbor: Harbor, standin: StandIn, name: str, single: Image) -> None:
    """Where a list is asked for, "none" would be a lie."""
    tags = harbor.artifacts(PROJECT, name).tags(Digest.parse(single.digest))
    with pytest.raises(LongshoreError) as caught:
        await anext(tags)
    assert caught.value.code == "target_not_found"


async def test_a_name_encoded_once_names_nothing(standin: StandIn, harbor: Harbor, single: Image) -> None:
    """The stand-in is as strict as Harbor, or the test above would show nothing."""
    await standin.push(f"{PROJECT}/a/b", "1.0", single)
    api = harbor._api
    request = api.get(f"/projects/{PROJECT}/repositories/a%2Fb/artifacts/1.0", "trying")
    with pytest.raises(LongshoreError, match="was not found"):
        await api.ask(request)


async def test_untagging_leaves_the_artifact(standin: StandIn, harbor: Harbor, name: str, single: Image) -> None:
    await standin.push(f"{PROJECT}/{name}", "1.0", single)
    artifacts = harbor.artifacts(PROJECT, name)
    digest = Digest.parse(single.digest)
    assert await artifacts.delete_tag(digest, "1.0") is True
    assert await artifacts.delete_tag(digest, "1.0") is False
    assert await artifacts.some_tags(digest) == frozenset()
    assert await artifacts.delete(digest) is True
    assert await artifacts.delete(digest) is False
    assert await artifacts.some_tags(digest) is None


async def test_deleting_an_artifact_takes_all_its_tags(
    standin: StandIn, harbor: Harbor, name: str, single: Image
) -> None:
    """Harbor's rule, for the sake of which images are deleted tag first."""
    await standin.push(f"{PROJECT}/{name}", "1.0", single)
    await standin.put(f"{PROJECT}/{name}", "2.0", single.root)
    await harbor.artifacts(PROJECT, name).delete(Digest.parse(single.digest))
    assert standin.tags(f"{PROJECT}/{name}") == {}
