"""Deleting an image from Harbor: the tag, and the artifact with its last tag, but never another tag."""

import asyncio
import secrets
from collections.abc import Callable

import pytest
from aiohttp import web

from deploy.local.images.image import Image
from deploy.local.servers.harbor.rules import Rule
from deploy.local.servers.harbor.server import immutable_rule
from deploy.local.stack import LocalStackError, synthetic_image
from shared.errors.error import LongshoreError
from shared.harbor.client import Harbor, Removal
from shared.oci.digest import Digest
from tests.shared.harbor.conftest import GUEST, PROJECT, ROBOT, Opener, StandIn


def digest_of(image: Image) -> Digest:
    return Digest.parse(image.digest)


def protect(standin: StandIn, tag: str) -> None:
    standin.state.project(PROJECT).rules[standin.state.next_id()] = Rule.from_json(immutable_rule("**", tag))


async def test_the_last_tag_takes_the_artifact_along(standin: StandIn, harbor: Harbor, name: str, image: Image) -> None:
    """An index is deleted with its tag, and so are the children that nothing else needs."""
    await standin.push(f"{PROJECT}/{name}", "1.0", image)
    assert await harbor.delete_tag_or_artifact(PROJECT, name, digest_of(image), "1.0") is Removal.ARTIFACT
    assert standin.state.repository(f"{PROJECT}/{name}").artifacts == {}
    with pytest.raises(LocalStackError, match="404"):
        await asyncio.to_thread(standin.remote().manifest, f"{PROJECT}/{name}", "1.0")


async def test_a_sibling_tag_stays(standin: StandIn, harbor: Harbor, name: str, image: Image) -> None:
    """Two tags point to one digest: one is deleted, the other still serves the image."""
    repository = f"{PROJECT}/{name}"
    await standin.push(repository, "1.0", image)
    await standin.put(repository, "latest", image.root)
    assert await harbor.delete_tag_or_artifact(PROJECT, name, digest_of(image), "1.0") is Removal.TAG
    assert standin.tags(repository) == {"latest": image.digest}
    assert (await asyncio.to_thread(standin.remote().manifest, repository, "latest")).digest == image.digest


async def test_more_tags_than_a_page_has_are_seen(standin: StandIn, harbor: Harbor, name: str, single: Image) -> None:
    """The client only needs to know whether another tag exists, and the first page shows that."""
    repository = f"{PROJECT}/{name}"
    await standin.push(repository, "0", single)
    for number in range(1, 130):
        standin.state.set_tag(standin.state.repository(repository), str(number), single.digest)
    # The oldest tag is on the last page.
    assert await harbor.delete_tag_or_artifact(PROJECT, name, digest_of(single), "0") is Removal.TAG
    assert set(standin.tags(repository)) == {str(number) for number in range(1, 130)}


async def test_deleting_again_changes_nothing(standin: StandIn, harbor: Harbor, name: str, image: Image) -> None:
    """Deletion is repeatable: after a crash, the progress of the last attempt is unknown."""
    await standin.push(f"{PROJECT}/{name}", "1.0", image)
    await harbor.delete_tag_or_artifact(PROJECT, name, digest_of(image), "1.0")
    assert await harbor.delete_tag_or_artifact(PROJECT, name, digest_of(image), "1.0") is Removal.NOTHING


async def test_a_repository_that_never_was_is_gone(harbor: Harbor, standin: StandIn, image: Image) -> None:
    assert await harbor.delete_tag_or_artifact(PROJECT, "no/such", digest_of(image), "1.0") is Removal.NOTHING
    assert await harbor.delete_tag_or_artifact("nowhere", "x", digest_of(image), "1.0") is Removal.NOTHING


async def test_a_tag_that_moved_on_stays_where_it_is(
    standin: StandIn, harbor: Harbor, name: str, image: Image, single: Image
) -> None:
    """The tag now points to another artifact, whose deletion was not requested."""
    repository = f"{PROJECT}/{name}"
    await standin.push(repository, "1.0", image)
    await standin.put(repository, "stable", image.root)
    await standin.push(repository, "1.0", single)
    assert await harbor.delete_tag_or_artifact(PROJECT, name, digest_of(image), "1.0") is Removal.NOTHING
    assert standin.tags(repository) == {"1.0": single.digest, "stable": image.digest}


async def test_what_a_moved_tag_left_behind_is_cleared_away(
    standin: StandIn, harbor: Harbor, name: str, image: Image, single: Image
) -> None:
    """An artifact without tags uses storage, and deleting it removes no tag."""
    repository = f"{PROJECT}/{name}"
    await standin.push(repository, "1.0", image)
    await standin.push(repository, "1.0", single)
    assert await harbor.delete_tag_or_artifact(PROJECT, name, digest_of(image), "1.0") is Removal.ARTIFACT
    assert standin.tags(repository) == {"1.0": single.digest}
    assert set(standin.state.repository(repository).artifacts) == {single.digest}


async def test_a_part_of_an_index_is_a_conflict_that_says_so(
    standin: StandIn, harbor: Harbor, name: str, image: Image
) -> None:
    """412 VIOLATE_FOREIGN_KEY_CONSTRAINT: the tag stays, because the image is still complete."""
    repository = f"{PROJECT}/{name}"
    await standin.push(repository, "1.0", image)
    child = image.children[0]
    await standin.put(repository, "amd64", child)
    with pytest.raises(LongshoreError, match="referenced by others") as caught:
        await harbor.delete_tag_or_artifact(PROJECT, name, Digest.parse(child.digest), "amd64")
    assert caught.value.code == "target_artifact_referenced"
    assert caught.value.kind.status == 409
    assert standin.tags(repository) == {"1.0": image.digest, "amd64": child.digest}


async def test_an_untagged_part_of_an_index_counts_as_deleted(
    standin: StandIn, harbor: Harbor, name: str, image: Image
) -> None:
    """The tag is gone, as requested; the content belongs to the index."""
    await standin.push(f"{PROJECT}/{name}", "1.0", image)
    child = Digest.parse(image.children[0].digest)
    assert await harbor.delete_tag_or_artifact(PROJECT, name, child, "amd64") is Removal.NOTHING
    assert len(standin.state.repository(f"{PROJECT}/{name}").artifacts) == 3


@pytest.mark.parametrize("sibling", [False, True])
async def test_an_immutable_tag_is_a_conflict_that_says_so(
    standin: StandIn, harbor: Harbor, name: str, image: Image, *, sibling: bool
) -> None:
    """Harbor answers 412 PRECONDITION to the deletion of the tag and of the artifact."""
    repository = f"{PROJECT}/{name}"
    await standin.push(repository, "1.0", image)
    if sibling:
        await standin.put(repository, "other", image.root)
    protect(standin, "1.*")
    with pytest.raises(LongshoreError, match="immutable") as caught:
        await harbor.delete_tag_or_artifact(PROJECT, name, digest_of(image), "1.0")
    assert caught.value.code == "target_immutable_tag"
    assert caught.value.kind.status == 409
    assert standin.tags(repository)["1.0"] == image.digest


async def test_a_shared_child_outlives_one_of_its_indexes(standin: StandIn, harbor: Harbor, name: str) -> None:
    """Two indexes share a platform: deleting one leaves the other complete."""
    repository = f"{PROJECT}/{name}"
    seed = secrets.token_hex(6)
    both = synthetic_image(seed, [300], platforms=("linux/amd64", "linux/arm64"))
    one = synthetic_image(seed, [300], platforms=("linux/amd64", "linux/s390x"))
    assert both.children[0].digest == one.children[0].digest
    await standin.push(repository, "both", both)
    await standin.push(repository, "one", one)
    assert await harbor.delete_tag_or_artifact(PROJECT, name, digest_of(one), "one") is Removal.ARTIFACT
    left = set(standin.state.repository(repository).artifacts)
    assert left == {both.digest, *(child.digest for child in both.children)}


async def test_a_tag_added_before_the_look_is_kept(standin: StandIn, harbor: Harbor, name: str, image: Image) -> None:
    """The client lists the tags right before it deletes the artifact, whatever it knew before."""
    repository = f"{PROJECT}/{name}"
    await standin.push(repository, "1.0", image)
    standin.recorder.once("GET", adding(standin, repository, "new", image.digest))
    assert await harbor.delete_tag_or_artifact(PROJECT, name, digest_of(image), "1.0") is Removal.TAG
    assert standin.tags(repository) == {"new": image.digest}


async def test_a_tag_that_comes_while_harbor_deletes_is_kept(
    standin: StandIn, harbor: Harbor, name: str, image: Image
) -> None:
    """Harbor's database refuses with the same 412 as for a child of an index, so the client lists the tags again."""
    repository = f"{PROJECT}/{name}"
    await standin.push(repository, "1.0", image)

    def refuse(_: web.Request) -> web.Response:
        standin.state.set_tag(standin.state.repository(repository), "new", image.digest)
        message = "the artifact 1 is referenced by other resources"
        errors = {"errors": [{"code": "VIOLATE_FOREIGN_KEY_CONSTRAINT", "message": message}]}
        return web.json_response(errors, status=412)

    standin.recorder.once("DELETE", refuse)
    assert await harbor.delete_tag_or_artifact(PROJECT, name, digest_of(image), "1.0") is Removal.TAG
    assert standin.tags(repository) == {"new": image.digest}


async def test_the_last_of_two_deleters_takes_the_artifact(
    standin: StandIn, harbor: Harbor, name: str, image: Image
) -> None:
    """Each saw the other's tag; the client that deletes the last tag finds none left, and deletes the artifact."""
    repository = f"{PROJECT}/{name}"
    await standin.push(repository, "1.0", image)
    await standin.put(repository, "2.0", image.root)
    standin.recorder.once("DELETE", removing(standin, repository, "2.0"))
    assert await harbor.delete_tag_or_artifact(PROJECT, name, digest_of(image), "1.0") is Removal.ARTIFACT
    assert standin.state.repository(repository).artifacts == {}


async def test_two_deleters_at_once_leave_nothing(standin: StandIn, harbor: Harbor, name: str, image: Image) -> None:
    repository = f"{PROJECT}/{name}"
    await standin.push(repository, "1.0", image)
    await standin.put(repository, "2.0", image.root)
    await asyncio.gather(
        *(harbor.delete_tag_or_artifact(PROJECT, name, digest_of(image), tag) for tag in ("1.0", "2.0"))
    )
    assert standin.state.repository(repository).artifacts == {}


async def test_the_same_tag_pushed_again_meanwhile_is_kept(
    standin: StandIn, harbor: Harbor, name: str, image: Image
) -> None:
    """The tag was deleted once; another client has pushed it again since."""
    repository = f"{PROJECT}/{name}"
    await standin.push(repository, "1.0", image)
    await standin.put(repository, "2.0", image.root)

    def reimported(_: web.Request) -> None:
        removing(standin, repository, "2.0")(_)
        adding(standin, repository, "1.0", image.digest)(_)

    standin.recorder.once("GET", lambda _: None)
    standin.recorder.once("GET", reimported)
    assert await harbor.delete_tag_or_artifact(PROJECT, name, digest_of(image), "1.0") is Removal.TAG
    assert standin.tags(repository) == {"1.0": image.digest}


@pytest.mark.parametrize("done", [False, True], ids=["lost", "done"])
@pytest.mark.parametrize("step", range(4), ids=["look", "untag", "look-again", "delete"])
async def test_a_crash_at_any_step_is_finished_by_the_next_try(
    standin: StandIn, harbor: Harbor, name: str, image: Image, step: int, *, done: bool
) -> None:
    """The client is killed during a request that Harbor may have carried out; the next one completes the deletion."""
    repository = f"{PROJECT}/{name}"
    await standin.push(repository, "1.0", image)
    await standin.put(repository, "2.0", image.root)
    first = asyncio.create_task(harbor.delete_tag_or_artifact(PROJECT, name, digest_of(image), "1.0"))

    def killed(_: web.Request) -> web.Response | None:
        first.cancel()
        return None if done else web.json_response({"errors": []}, status=500)

    # The other tag is deleted while this one is, so that there are four steps.
    plan: list[Callable[[web.Request], web.Response | None]] = [lambda _: None] * 4
    plan[1] = removing(standin, repository, "2.0")
    for method, action in zip(("GET", "DELETE", "GET", "DELETE"), [*plan[:step], killed], strict=False):
        standin.recorder.once(method, action)
    with pytest.raises(asyncio.CancelledError):
        await first
    await harbor.delete_tag_or_artifact(PROJECT, name, digest_of(image), "1.0")
    # Before the second step the other tag exists, so it must still exist.
    left = {"2.0": image.digest} if step < 2 else {}
    assert standin.tags(repository) == left
    assert len(standin.state.repository(repository).artifacts) == (3 if left else 0)


async def test_a_robot_deletes_what_it_may(standin: StandIn, opened: Opener, name: str, image: Image) -> None:
    """A robot account's name contains a `$`, which Basic authentication must preserve."""
    await standin.push(f"{PROJECT}/{name}", "1.0", image)
    harbor = await opened(standin.host, ROBOT)
    assert await harbor.delete_tag_or_artifact(PROJECT, name, digest_of(image), "1.0") is Removal.ARTIFACT


async def test_missing_rights_are_not_taken_for_success(
    standin: StandIn, opened: Opener, name: str, image: Image
) -> None:
    await standin.push(f"{PROJECT}/{name}", "1.0", image)
    harbor = await opened(standin.host, GUEST)
    with pytest.raises(LongshoreError, match="403") as caught:
        await harbor.delete_tag_or_artifact(PROJECT, name, digest_of(image), "1.0")
    assert caught.value.code == "target_denied"
    assert standin.tags(f"{PROJECT}/{name}") == {"1.0": image.digest}


def adding(standin: StandIn, repository: str, tag: str, digest: str) -> Callable[[web.Request], None]:
    return lambda _: standin.state.set_tag(standin.state.repository(repository), tag, digest)


def removing(standin: StandIn, repository: str, tag: str) -> Callable[[web.Request], None]:
    def remove(_: web.Request) -> None:
        del standin.state.repository(repository).tags[tag]

    return remove
