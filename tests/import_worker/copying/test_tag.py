"""The target's tag is looked up as it is sent, and nothing of another client is overwritten."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from deploy.local.images.image import Image
from deploy.local.images.synthetic import synthetic_image
from import_worker.copying.image import ImageCopy
from import_worker.copying.tag import Replaceable
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.planning.make_plan import make_plan
from tests.import_worker.copying.copies import allowed
from tests.import_worker.ends import Board, DictLedger, DictSource, DictTags, DictTarget

NOTHING: frozenset[str] = frozenset()


def other_manifest(name: str) -> Manifest:
    root = synthetic_image(name, [100]).root
    return Manifest.parse(root.body, root.media_type)


@dataclass
class MovingTarget(DictTarget):
    """A target in which another client writes the tag after the fence has been asked so many times."""

    moves: dict[int, Manifest | None] = field(default_factory=dict)
    asked: int = 0

    async def fence(self) -> None:
        self.asked += 1
        if self.asked in self.moves:
            moved = self.moves[self.asked]
            if moved:
                self.manifests["latest"] = moved
            else:
                self.manifests.pop("latest")


@dataclass
class RepeatingTarget(DictTarget):
    """A target whose first answer to the tag's PUT is lost: the client sends it again."""

    stored: bool = True
    between: Callable[["RepeatingTarget"], None] = lambda _: None
    puts: int = 0

    async def put_manifest(
        self,
        reference: str,
        manifest: Manifest,
        *,
        before: Callable[[], Awaitable[None]] | None = None,
        check_replaced: Callable[[Digest | None], None] | None = None,
    ) -> None:
        if reference == "latest":
            self.puts += 1
            if self.stored:
                await super().put_manifest(reference, manifest, before=before, check_replaced=check_replaced)
            self.between(self)
        await super().put_manifest(reference, manifest, before=before, check_replaced=check_replaced)


@pytest.fixture
def image() -> Image:
    return synthetic_image("tagged", [1_000, 300])


async def copy(
    image: Image,
    target: DictTarget,
    replaceable: frozenset[str] | None,
    fence: Callable[[], Awaitable[None]] = allowed,
    journal: DictTags | None = None,
) -> None:
    source = DictSource(image)
    plan = await make_plan(source, await source.resolve(), ())
    copying = ImageCopy(plan, source, target, ledger=DictLedger(), board=Board(), slots=2, journal=journal)
    await copying.run("latest", fence, Replaceable(digests=replaceable))


async def refused(copying: Awaitable[None]) -> str:
    with pytest.raises(LongshoreError) as caught:
        await copying
    assert caught.value.code == "target_tag_foreign"
    assert not caught.value.kind.retryable
    return caught.value.detail


async def test_a_tag_that_does_not_exist_is_written(image: Image) -> None:
    target = DictTarget()
    await copy(image, target, NOTHING)
    assert str(target.manifests["latest"].digest) == image.digest


async def test_a_tag_of_another_client_stays(image: Image) -> None:
    """Its digest is in the error."""
    theirs = other_manifest("theirs")
    target = DictTarget(manifests={"latest": theirs})
    assert str(theirs.digest) in await refused(copy(image, target, NOTHING))
    assert target.manifests["latest"] == theirs
    assert "latest" not in target.writes


async def test_a_tag_that_may_be_replaced_is_replaced(image: Image) -> None:
    ours = other_manifest("ours")
    target = DictTarget(manifests={"latest": ours})
    await copy(image, target, frozenset({str(ours.digest)}))
    assert str(target.manifests["latest"].digest) == image.digest


@pytest.mark.parametrize("asked", [1, 2])
async def test_a_tag_that_another_client_creates_meanwhile_stays(image: Image, asked: int) -> None:
    """During the copy, or after the permission and before the PUT."""
    theirs = other_manifest("theirs")
    target = MovingTarget(moves={asked: theirs})
    await refused(copy(image, target, NOTHING, target.fence))
    assert target.manifests["latest"] == theirs


async def test_a_tag_that_another_client_moves_meanwhile_stays(image: Image) -> None:
    """It was replaceable when the copy began."""
    ours, theirs = other_manifest("ours"), other_manifest("theirs")
    target = MovingTarget(manifests={"latest": ours}, moves={2: theirs})
    await refused(copy(image, target, frozenset({str(ours.digest)}), target.fence))
    assert target.manifests["latest"] == theirs


async def test_a_tag_that_another_client_deletes_meanwhile_is_written(image: Image) -> None:
    """Nothing is lost."""
    ours = other_manifest("ours")
    target = MovingTarget(manifests={"latest": ours}, moves={2: None})
    await copy(image, target, frozenset({str(ours.digest)}), target.fence)
    assert str(target.manifests["latest"].digest) == image.digest


async def test_a_tag_that_is_right_already_is_not_sent(image: Image) -> None:
    """It may be immutable, and another client may have written it."""
    target = DictTarget()
    await copy(image, target, NOTHING)
    target.writes.clear()
    await copy(image, target, NOTHING)
    assert target.writes == []


async def test_a_tag_that_is_sent_again_is_looked_up_again(image: Image) -> None:
    """The first sending had no effect, and another client has written the tag since."""
    theirs = other_manifest("theirs")
    target = RepeatingTarget(stored=False, between=lambda target: target.manifests.update(latest=theirs))
    await refused(copy(image, target, NOTHING))
    assert target.manifests["latest"] == theirs


async def test_a_tag_whose_first_sending_was_stored_is_no_other_clients(image: Image) -> None:
    """Only the answer was lost."""
    target = RepeatingTarget()
    await copy(image, target, NOTHING)
    assert (target.puts, target.writes.count("latest")) == (1, 1)


async def test_a_tag_that_is_not_compared_is_written(image: Image) -> None:
    """An import of an older release has no record of the tag before it."""
    target = DictTarget(manifests={"latest": other_manifest("unknown")})
    await copy(image, target, None)
    assert str(target.manifests["latest"].digest) == image.digest


async def test_a_sending_is_recorded_before_it_takes_place(image: Image) -> None:
    """A worker that stops in between leaves the record behind; with the answer it ends."""
    journal = DictTags()
    target = WatchedTarget(journal=journal)
    await copy(image, target, NOTHING, journal=journal)
    assert target.recorded == [[("latest", Digest.parse(image.digest))]]
    assert journal.open_writes == []


async def test_a_sending_whose_answer_was_lost_stays_recorded(image: Image) -> None:
    """The next one found the tag written, but a proxy may send the first one again."""
    journal = DictTags()
    with pytest.raises(LongshoreError, match="target_stalled"):
        await copy(image, WatchedTarget(journal=journal, silent=True), NOTHING, journal=journal)
    assert journal.open_writes == [("latest", Digest.parse(image.digest))]


async def test_a_tag_that_may_not_be_written_leaves_no_record(image: Image) -> None:
    """Nothing was sent: the tag is another client's, or right already, or the API gave no permission."""
    journal, target = DictTags(), DictTarget(manifests={"latest": other_manifest("theirs")})
    await refused(copy(image, target, NOTHING, journal=journal))
    target = DictTarget()
    await copy(image, target, NOTHING)
    await copy(image, target, NOTHING, journal=journal)
    with pytest.raises(LongshoreError, match="api_refused"):
        await copy(image, DictTarget(), NOTHING, forbidden, journal=journal)
    assert journal.open_writes == []


async def forbidden() -> None:
    raise LongshoreError(Code.API_REFUSED, "No, for the test.")


@dataclass
class WatchedTarget(DictTarget):
    """A target that looks at the journal as it gets the tag's PUT, and may not answer it."""

    journal: DictTags = field(default_factory=DictTags)
    silent: bool = False
    recorded: list[list[tuple[str, Digest]]] = field(default_factory=list)

    async def put_manifest(
        self,
        reference: str,
        manifest: Manifest,
        *,
        before: Callable[[], Awaitable[None]] | None = None,
        check_replaced: Callable[[Digest | None], None] | None = None,
    ) -> None:
        await super().put_manifest(reference, manifest, before=before, check_replaced=check_replaced)
        if reference == "latest":
            self.recorded.append(list(self.journal.open_writes))
            if self.silent:
                raise LongshoreError(Code.TARGET_STALLED, "No answer, for the test.")
