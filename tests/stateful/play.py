"""The model of one sequence: the allowed states of the target and the list, compared with every settled state."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from api_service.background.reaper import reap
from api_service.images.deletion.resume import resume_deletions
from api_service.images.keys import DELETION, VERIFIER
from api_service.images.patrol import Pace, TagPatrol
from api_service.imports.keys import QUEUE
from shared.db.database import Connection
from tests.api_service.api import Answer
from tests.stateful.contents import CHILDREN, CONTENTS
from tests.stateful.gate import Point
from tests.stateful.world import ORIGINS, RETRIES, TIMEOUT, World

# Repository and tag in the target; the repository is without its project.
Place = tuple[str, str]
# Two tags of one repository and one of another; then the tag that is never imported.
PLACES: tuple[Place, ...] = (("x", "1"), ("x", "2"), ("y", "1"))
BY_HAND = "hand"
REPOSITORIES = ("x", "y")
HANDS: tuple[Place, ...] = tuple((repository, BY_HAND) for repository in REPOSITORIES)
SOURCES: tuple[Place, ...] = ((ORIGINS[0], "1"), (ORIGINS[0], "2"), (ORIGINS[1], "1"))
# Two sources have the same image, so that tags share digests.
FIRST_CONTENTS = dict(zip(SOURCES, (0, 2, 0), strict=True))
POLL = 0.01
# A sequence may lose all of its images.
EVERY_LOSS = Pace(losses=1000)

_numbers = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class Row:
    """An image in the database, with its newest import."""

    id: int
    status: str
    digest: str | None
    created_by: str
    state: str
    name: str
    error: str | None


class Play:
    """The requests so far and the allowed states. Digests are those of CONTENTS; None is a missing tag."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.project = f"p{next(_numbers)}"
        # The allowed digests of each tag, given the requests since the last check.
        self.may_be: dict[Place, set[str | None]] = {place: {None} for place in (*PLACES, *HANDS)}
        # The place and the digest of each import, and the id of its image.
        self.wanted: dict[str, tuple[Place, str]] = {}
        self.image_of: dict[str, int] = {}
        # The digests that Longshore may have tagged for each image: of the last ready import, and of later permissions.
        self.ours: dict[int, set[str]] = defaultdict(set)
        # All digests that imports of each image have had the permission to tag: every other one is another client's.
        self.written: dict[int, set[str]] = defaultdict(set)
        self.newest: dict[Place, str] = {}
        # Imports that the API reported as cancelled: they must not write a tag.
        self.cancelled: set[str] = set()
        self.images: dict[Place, int] = {}
        # Places that another client changed, or whose deletion failed, since their last ready import.
        self.disturbed: set[Place] = set()
        # Places that another client changed, which Longshore detects only by checking the target.
        self.by_hand: set[Place] = set()
        # Manifests that a deletion must remove unless something else refers to them.
        self.deleted: set[tuple[str, str]] = set()
        self.problems: list[str] = []
        self.sources = dict.fromkeys(SOURCES, 0)

    async def begin(self) -> None:
        """Reset the sources."""
        self.world.gate.open_for(self._on_permitted, self._on_ready)
        for source, content in FIRST_CONTENTS.items():
            await self.move_source(source, content)

    async def move_source(self, source: Place, content: int) -> None:
        self.sources[source] = content
        await self.world.move_source(*source, content)

    def source_digest(self, source: Place) -> str:
        return CONTENTS[self.sources[source]].digest

    def full(self, repository: str) -> str:
        return f"{self.project}/{repository}"

    def writing(self, repository: str) -> list[Place]:
        """Return the places of a repository whose imports are held after their permission to write the tag."""
        held = [self.wanted[name][0] for name, point in self.world.gate.held.items() if name in self.world.gate.waiting]
        return [place for place in held if place[0] == repository]

    @property
    def quiet(self) -> bool:
        """Whether no import is held."""
        return not self.world.gate.held

    def _on_permitted(self, name: str, digest: str) -> None:
        place, wanted = self.wanted.get(name, (HANDS[0], ""))
        if digest != wanted:
            self.problems.append(f"{name} was permitted to tag {digest} instead of {wanted}")
        if name in self.cancelled:
            self.problems.append(f"{name} was permitted to tag after it was cancelled")
        self.may_be[place].add(digest)
        self.ours[self.image_of.get(name, 0)].add(digest)
        self.written[self.image_of.get(name, 0)].add(digest)

    def _on_ready(self, name: str) -> None:
        _, digest = self.wanted[name]
        self.ours[self.image_of[name]] = {digest}

    async def expect_import(self, answer: Answer, place: Place, digest: str, *, point: Point | None) -> None:
        """Record an import that was started or found running; wait until it is held, if it shall be."""
        name = answer.body["name"]
        self.newest[place] = name
        if name in self.wanted:
            return
        self.wanted[name], self.image_of[name] = (place, digest), answer.body["imageId"]
        self.world.gate.expect(name, point)
        if point:
            await self.world.gate.reached(name, point)

    async def settle(self) -> None:
        """Release all imports, wait until everything has ended, and check the state."""
        for name in list(self.world.gate.held):
            self.world.gate.release(name)
        async with asyncio.timeout(TIMEOUT):
            while await self._under_way():
                await self._clean_up()
                await asyncio.sleep(POLL)
        await self._check_undisturbed()
        await self._patrol()
        await self.check()
        self.by_hand.clear()

    async def _check_undisturbed(self) -> None:
        """Check the images that only Longshore has changed, before the patrol looks at the target."""
        for place, row in (await self.rows()).items():
            if row.status == "ready" and place not in self.by_hand:
                served = await self.world.serves(self.full(place[0]), place[1])
                assert served == row.digest, f"{place} is ready as {row.digest}, served is {served}"

    async def _patrol(self) -> None:
        """Run the patrol over every image of this sequence."""
        async with self.world.database.connection() as connection:
            first = await connection.fetchval(
                "SELECT min(id) FROM images WHERE repository LIKE $1", f"{self.project}/%"
            )
        if not first:
            return
        await self.world.add_witness()
        patrol = TagPatrol(self.world.app[VERIFIER], EVERY_LOSS, after=first - 1)
        while True:
            batch = await patrol.look()
            assert (batch.trouble, batch.alarm) == (None, "")
            if not patrol.after:
                break

    async def _under_way(self) -> bool:
        async with self.world.database.connection() as connection:
            found: bool = await connection.fetchval(
                """
                SELECT EXISTS (
                    SELECT FROM images LEFT JOIN imports ON image_id = images.id
                    WHERE repository LIKE $1 AND
                          (state IN ('queued', 'running', 'waiting') OR deletion_lease_until IS NOT NULL)
                )
                """,
                f"{self.project}/%",
            )
        return found or bool(self.world.worker.slots.running)

    async def _clean_up(self) -> None:
        """Do the work of the API's loops for expired leases: in a sequence no deletion outlives its request."""
        async with self.world.database.connection() as connection:
            await connection.execute(
                "UPDATE images SET deletion_lease_until = now() - interval '1 s' WHERE deletion_lease_until > now()"
            )
        await resume_deletions(self.world.app[DELETION].work)
        await reap(self.world.app[QUEUE], RETRIES)

    async def check(self) -> None:
        """Compare the target and the list with the model."""
        tags = {repository: await self.world.tags(self.full(repository)) for repository in REPOSITORIES}
        rows = await self.rows()
        self._check_tags(tags)
        for place, row in rows.items():
            self._check_image(place, row, tags[place[0]].get(place[1]))
        await self._check_deleted(tags)
        assert not self.problems, self.problems
        self.may_be = {place: {tags[place[0]].get(place[1])} for place in self.may_be}

    def _check_tags(self, tags: Mapping[str, Mapping[str, str]]) -> None:
        for repository, found in tags.items():
            for tag in found:
                assert (repository, tag) in self.may_be, f"{repository}:{tag} was never requested"
        for (repository, tag), allowed in self.may_be.items():
            digest = tags[repository].get(tag)
            assert digest in allowed, f"{repository}:{tag} points to {digest}, not to one of {allowed}"

    def _check_image(self, place: Place, row: Row, served: str | None) -> None:
        assert row.status != "importing", (place, row)
        if row.state == "failed":
            # Another client wrote the tag after the import was accepted.
            assert (row.error or "").startswith("target_tag_foreign"), (place, row)
            assert place in self.disturbed, (place, row)
        else:
            assert row.state in ("ready", "cancelled"), (place, row)
        if row.status == "ready":
            assert row.digest in self.ours[row.id], (place, row)
            assert served == row.digest, f"{place} is ready as {row.digest}, served is {served}"
            # The patrol makes an image ready again when the tag that another client moved is back.
            assert row.state != "failed" or place in self.disturbed, (place, row)
        elif row.state == "ready":
            assert place in self.disturbed, f"{place} has failed without a cause: {row}"

    async def _check_deleted(self, tags: Mapping[str, Mapping[str, str]]) -> None:
        for repository, digest in self.deleted:
            held = tags[repository].values()
            if digest in held or any(digest in CHILDREN[tagged] for tagged in held):
                continue
            left = await self.world.serves(self.full(repository), digest)
            assert left is None, f"{digest} was left behind in {repository}"
        self.deleted.clear()

    async def rows(self) -> dict[Place, Row]:
        """Return the images of this sequence."""
        async with self.world.database.connection() as connection:
            return await _rows(connection, self.project)

    async def call(self, method: str, path: str, *, user: str, body: object = None) -> Answer:
        """Call the API; a status that shows a defect of the API or of the test fails."""
        answer = await self.world.call(method, path, user=user, body=body)
        assert answer.status != 500, answer
        assert answer.status not in (400, 401, 405, 415), answer
        return answer


async def _rows(connection: Connection, project: str) -> dict[Place, Row]:
    found = await connection.fetch(
        """
        SELECT DISTINCT ON (images.id)
               images.id, repository, tag, status, images.digest, created_by, state, imports.name,
               error_code || ': ' || error_detail AS error
        FROM images JOIN imports ON image_id = images.id WHERE repository LIKE $1
        ORDER BY images.id, imports.id DESC
        """,
        f"{project}/%",
    )
    rows = {}
    for record in found:
        values = dict(record)
        place = (values.pop("repository").partition("/")[2], values.pop("tag"))
        rows[place] = Row(**values)
    return rows
