"""The campaign: random steps of users, admins and a pipeline, and the state of the target that the policy allows."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from random import Random

from deploy.local.stack import synthetic_image
from shared.target.settings import TargetKind
from tests.api_service.api import Answer
from tests.stateful.contents import CONTENTS
from tests.stateful.gate import Point
from tests.stateful.policy.places import PIPELINE, PLACES, PROJECTS, Place, host_part
from tests.stateful.policy.reference import DEFAULT_PROJECT, Caller, Request, Rule, refusals
from tests.stateful.world import ORIGINS, TIMEOUT, World

POLL = 0.01
# The tag of both sources, which never moves; each source has an image of its own.
SOURCE_TAG = "policy"
# The state of an image that exists may refuse a request that the rules allow.
OF_THE_IMAGE = frozenset({"import_conflict", "forbidden", "image_being_deleted", "import_not_retryable"})
OPEN = frozenset({"queued", "running", "waiting"})


@dataclass(frozen=True, kw_only=True)
class Managed:
    """An image that Longshore manages, and its newest import."""

    id: int
    owner: str
    source: str
    force: bool
    state: str


class Campaign:
    """The model: the rules, the tags of the target, and the digests that only the pipeline pushes."""

    def __init__(self, world: World, random: Random) -> None:
        self.world = world
        self.random = random
        self.host = world.source.host
        self.rules: dict[int, Rule] = {}
        self.places = [*PLACES, *(self.derived(source) for source in ORIGINS)]
        self.projects = {*PROJECTS, DEFAULT_PROJECT}
        self.tags: dict[Place, str] = {}
        # Digests that the pipeline pushed; no source has any of them.
        self.by_hand: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []

    def derived(self, source: str) -> Place:
        """Return the target of an import without `target`."""
        return Place(repository=f"{DEFAULT_PROJECT}/{host_part(self.host)}/{source}", tag=SOURCE_TAG)

    async def begin(self) -> None:
        """Fill the sources, create the projects, delete the rules that exist, and push the pipeline's image."""
        for content, source in enumerate(ORIGINS):
            await self.world.move_source(source, SOURCE_TAG, content)
        self.world.gate.open_for(lambda *_: None, lambda _: None)
        for project in self.projects:
            await self.create_project(project)
        listed = await self.world.call("GET", "/import-rules", user="root")
        for rule in listed.body["rules"]:
            await self.world.call("DELETE", f"/import-rules/{rule['id']}", user="root")
        async with self.world.database.connection() as connection:
            await connection.execute("UPDATE api_tokens SET groups = '{ml}' WHERE user_name = 'bob'")
        await self.push_by_hand(PIPELINE)
        self.tags = await self.look()

    async def create_project(self, project: str) -> None:
        """Create a project, if the target has projects."""
        if self.world.kind is TargetKind.HARBOR:
            await self.world.create_project(project)

    async def push_by_hand(self, place: Place) -> None:
        """Push an image as a pipeline does, straight to the target."""
        image = synthetic_image(f"hand {len(self.by_hand)}", [64], platforms=("linux/amd64",), index=False)
        self.by_hand.add(image.digest)
        await asyncio.to_thread(self.world.remote.push, place.repository, place.tag, image)

    async def look(self) -> dict[Place, str]:
        """Return what each tag points to."""
        found = await asyncio.gather(*(self.world.serves(place.repository, place.tag) for place in self.places))
        return {place: digest for place, digest in zip(self.places, found, strict=True) if digest}

    def request(self, caller: Caller, source: str, place: Place, *, force: bool) -> Request:
        """Return the import as the reference reads it."""
        return Request(
            caller=caller,
            source=f"{self.host}/{source}",
            host_part=host_part(self.host),
            repository=place.repository,
            tag=place.tag,
            force=force,
            foreign=self.tags.get(place) in self.by_hand,
            project_exists=place.project in self.projects,
        )

    def refusals(self, request: Request) -> Collection[str]:
        """Return the codes with which the rules of this moment refuse the request."""
        return refusals(list(self.rules.values()), request)

    async def managed(self, place: Place) -> Managed | None:
        """Return the image at a place."""
        async with self.world.database.connection() as connection:
            row = await connection.fetchrow(
                """
                SELECT images.id, images.created_by AS owner, imports.source, imports.force, imports.state
                FROM images JOIN imports ON imports.image_id = images.id
                WHERE images.repository = $1 AND images.tag = $2 ORDER BY imports.id DESC LIMIT 1
                """,
                place.repository,
                place.tag,
            )
        return Managed(**dict(row)) if row else None

    async def ended(self, name: str) -> tuple[str, str | None]:
        """Wait for the end of an import; return its state and its error code."""
        async with asyncio.timeout(TIMEOUT):
            while True:
                async with self.world.database.connection() as connection:
                    row = await connection.fetchrow("SELECT state, error_code FROM imports WHERE name = $1", name)
                assert row is not None, name
                if row["state"] not in OPEN:
                    return row["state"], row["error_code"]
                await asyncio.sleep(POLL)

    def check_answer(self, step: str, request: Request, answer: Answer, *, may_conflict: bool) -> bool:
        """Compare an answer with the reference; return whether the request was accepted."""
        refused = self.refusals(request)
        self.counts["accepted" if answer.status == 200 else answer.code] += 1
        if answer.status == 200:
            if refused:
                self.problem(f"{step} was accepted, but {sorted(refused)} was expected: {answer.body}")
            return True
        expected = set(refused) | (OF_THE_IMAGE if may_conflict else set())
        if answer.code not in expected:
            self.problem(f"{step} was refused with {answer.code}, not {sorted(expected)}: {answer.body['detail']}")
        return False

    async def check_tags(self, step: str, allowed: Mapping[Place, Collection[str | None]]) -> None:
        """Compare the target with its last state: a tag changes only to a digest that the step allows."""
        now = await self.look()
        for place in self.places:
            before, after = self.tags.get(place), now.get(place)
            if after != before and after not in allowed.get(place, ()):
                self.problem(f"{step} changed {place} from {before} to {after}")
            self.counts["tags changed"] += after != before
        self.tags = now

    async def learn_project(self, project: str) -> None:
        """Record a project that an import has created, although it may have failed later."""
        if await self.world.has_project(project):
            self.projects.add(project)

    def problem(self, text: str) -> None:
        self.problems.append(f"step {self.counts['steps']}: {text}")

    def digest_of(self, source: str) -> str:
        """Return the digest of a source's tag."""
        return CONTENTS[ORIGINS.index(source)].digest

    async def wait_at(self, name: str, point: Point) -> bool:
        """Wait until the import is held at the point; return False if it has ended before."""
        reached = asyncio.ensure_future(self.world.gate.reached(name, point))
        ended = asyncio.ensure_future(self.ended(name))
        await asyncio.wait({reached, ended}, return_when=asyncio.FIRST_COMPLETED)
        held = reached.done()
        for task in (reached, ended):
            task.cancel()
        await asyncio.gather(reached, ended, return_exceptions=True)
        return held
