"""Artifacts and tags in repositories whose names contain slashes."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.images.image import Image
from shared.errors.error import LongshoreError
from shared.harbor.addresses import artifacts_path, repository_segment, segment, split_repository
from shared.harbor.client import Harbor
from shared.oci.digest import Digest
from tests.shared.harbor.conftest import PROJECT, StandIn

COMPONENTS = st.from_regex(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", fullmatch=True)
NAMES = st.lists(COMPONENTS, min_size=1, max_size=6).map("/".join)


@given(NAMES)
def test_a_name_survives_both_decodings(name: str) -> None:
    """The server decodes the whole path once and must not find a slash in the name; Harbor's handler decodes again."""
    once = unquote(repository_segment(name))
    assert "/" not in once
    assert unquote(once) == name


@given(st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: text.strip(".")))
def test_a_segment_stays_one_segment(text: str) -> None:
    """No text can end its segment or change the rest of the path."""
    encoded = segment(text)
    assert not set("/?#%") & set(encoded.replace("%", "", encoded.count("%")))
    assert unquote(encoded) == text


@pytest.mark.parametrize("text", ["", ".", "..", "..."])
def test_dots_alone_are_no_segment(text: str) -> None:
    """A segment of dots alone would be a step up the path."""
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
    assert await harbor.artifacts(PROJECT, name).find("1.0") == Digest.parse(single.digest)


async def test_an_artifact_is_found_by_tag_and_by_digest(
    standin: StandIn, harbor: Harbor, name: str, image: Image
) -> None:
    """This includes a child of an index, which has no tag; an artifact has all tags that were pushed."""
    await standin.push(f"{PROJECT}/{name}", "1.0", image)
    await standin.put(f"{PROJECT}/{name}", "latest", image.root)
    artifacts, digest, child = harbor.artifacts(PROJECT, name), Digest.parse(image.digest), image.children[0].digest
    assert await artifacts.find("1.0") == await artifacts.find("latest") == await artifacts.find(image.digest) == digest
    assert await artifacts.some_tags(digest) == frozenset({"1.0", "latest"})
    assert await artifacts.find(child) == Digest.parse(child)
    assert b'"tags": null' in standin.recorder.exchanges[-1].answer


async def test_what_is_not_there_is_none(standin: StandIn, harbor: Harbor, name: str, single: Image) -> None:
    assert await harbor.artifacts(PROJECT, name).find("1.0") is None
    assert await harbor.artifacts("nowhere", name).find("1.0") is None
    await standin.push(f"{PROJECT}/{name}", "1.0", single)
    assert await harbor.artifacts(PROJECT, name).find("2.0") is None


async def test_a_name_encoded_once_names_nothing(standin: StandIn, harbor: Harbor, single: Image) -> None:
    """The stand-in is as strict as Harbor; otherwise the test above would prove nothing."""
    await standin.push(f"{PROJECT}/a/b", "1.0", single)
    api = harbor._api
    request = api.get(f"/projects/{PROJECT}/repositories/a%2Fb/artifacts/1.0", "trying")
    with pytest.raises(LongshoreError, match="was not found"):
        await api.send(request)


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
    """This is Harbor's rule, and the reason why Longshore deletes an image's tag first."""
    await standin.push(f"{PROJECT}/{name}", "1.0", single)
    await standin.put(f"{PROJECT}/{name}", "2.0", single.root)
    await harbor.artifacts(PROJECT, name).delete(Digest.parse(single.digest))
    assert standin.tags(f"{PROJECT}/{name}") == {}
