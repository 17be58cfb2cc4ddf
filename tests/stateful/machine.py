"""Random sequences of actions of users, workers and other registry clients, on the whole product."""

from typing import Any, ClassVar

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from shared.runtime.concurrency import gather_all
from tests.stateful.api_steps import Cancel, Delete, Import, Retry
from tests.stateful.combined_steps import DeleteReplaced, ImportMeanwhile, Resume, StopMidway
from tests.stateful.contents import CONTENTS
from tests.stateful.front import Fault, Trouble
from tests.stateful.gate import Point
from tests.stateful.play import HANDS, PLACES, SOURCES, Place, Play
from tests.stateful.registry_steps import DeleteByHand, MoveSource, PushByHand, TagByHand, Untag
from tests.stateful.step import Step
from tests.stateful.world import USERS, Running

# A deletion sends between three and eight requests to the target.
REQUESTS = 8
STEPS = 14

# Mostly tags that share a repository.
places = st.sampled_from((PLACES[0], *PLACES))
siblings = st.sampled_from(PLACES[:2])
# Mostly the last request before the deletion.
looks = st.sampled_from((1, 2, 2, 3))
sources = st.sampled_from(SOURCES)
# Mostly a user with the right.
users = st.sampled_from(("root", "root", *USERS))
contents = st.integers(0, len(CONTENTS) - 1)
# The points of an attempt that has its terms; before them an import is held by the campaign of `policy` alone.
copying = st.sampled_from((Point.COPIED, Point.FENCED, Point.WRITTEN))
points = st.none() | copying
troubles = st.builds(Trouble, at=st.integers(0, REQUESTS), fault=st.sampled_from(Fault), done=st.booleans())

imports = st.builds(Import, source=sources, place=places, user=users, force=st.booleans())
deletes = st.builds(Delete, place=places, user=users)
cancels = st.builds(Cancel, place=places, user=users)
retries = st.builds(Retry, place=places, user=users)
pushes = st.builds(PushByHand, place=st.sampled_from((*PLACES, *HANDS)), content=contents)
losses = st.builds(DeleteByHand, place=places) | st.builds(Untag, place=places)
moves = st.builds(MoveSource, source=sources, content=contents)
requests: st.SearchStrategy[Step] = imports | deletes | cancels | retries


class Sequence(RuleBasedStateMachine):
    """One sequence in its own project. The state is checked after each step that leaves no import held."""

    running: ClassVar[Running]

    @initialize(step=st.builds(Import, source=sources, place=places, user=users))
    def begin(self, step: Step) -> None:
        self.play = Play(self.running.world)
        self.running.do(self.play.begin())
        self._take(step)

    @rule(step=st.builds(Import, source=sources, place=places, user=users, force=st.booleans(), point=points))
    def import_image(self, step: Step) -> None:
        self._take(step)

    @rule(step=st.builds(Import, source=sources, place=places, user=st.just("root"), force=st.just(value=True)))
    def import_anyway(self, step: Step) -> None:
        self._take(step)

    @rule(one=places, other=places)
    def delete_both(self, one: Place, other: Place) -> None:
        """Delete two images at once, possibly tags of the same digest."""
        self.running.do(self._both(Delete(place=one, user="root"), Delete(place=other, user="root")))

    @rule(step=deletes)
    def delete(self, step: Step) -> None:
        self._take(step)

    @rule(step=st.builds(Delete, place=places, user=st.just("root"), trouble=troubles))
    def delete_in_trouble(self, step: Step) -> None:
        self._take(step)

    @rule(step=st.builds(DeleteReplaced, place=places, content=contents, shared=st.booleans()))
    def delete_replaced(self, step: Step) -> None:
        self._take(step)

    @rule(step=st.builds(ImportMeanwhile, deleted=siblings, at=looks, source=sources, place=siblings))
    def import_meanwhile(self, step: Step) -> None:
        self._take(step)

    @rule(step=cancels | st.builds(Retry, place=places, user=users, point=points))
    def cancel_or_retry(self, step: Step) -> None:
        self._take(step)

    @rule(step=st.builds(StopMidway, source=sources, place=places, point=copying, killed=st.booleans()))
    def stop_midway(self, step: Step) -> None:
        self._take(step)

    @rule(step=st.builds(TagByHand, place=places))
    def tag_by_hand(self, step: Step) -> None:
        self._take(step)

    @rule(step=moves)
    def move_source(self, step: Step) -> None:
        self._take(step)

    @rule(step=pushes | losses)
    def change_by_hand(self, step: Step) -> None:
        self._take(step)

    @rule(step=st.builds(Resume, which=st.integers(0, 3), how=st.sampled_from(("release", "kill", "hand back"))))
    def resume(self, step: Step) -> None:
        self._take(step)

    @rule(one=requests, other=requests | pushes | losses)
    def do_both(self, one: Step, other: Step) -> None:
        self.running.do(self._both(one, other))

    def teardown(self) -> None:
        if hasattr(self, "play"):
            self.running.do(self.play.settle())

    def _take(self, step: Step) -> None:
        self.running.do(self._alone(step))

    async def _alone(self, step: Step) -> None:
        await step.take(self.play, alone=True)
        await self._settle_if_quiet()

    async def _both(self, one: Step, other: Step) -> None:
        await gather_all([one.take(self.play, alone=False), other.take(self.play, alone=False)])
        await self._settle_if_quiet()

    async def _settle_if_quiet(self) -> None:
        if self.play.quiet:
            await self.play.settle()


def play_sequences(running: Running, *, sequences: int, seed: int, shrink: bool, verbose: bool = False) -> None:
    """Run this number of sequences; a failure prints its steps, and the seed reproduces it."""

    class Bound(Sequence):
        pass

    Bound.running = running
    settings = hypothesis.settings(
        max_examples=sequences,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        verbosity=Verbosity.verbose if verbose else Verbosity.normal,
    )
    seeded: Any = hypothesis.seed(seed)(Bound)
    run_state_machine_as_test(seeded, settings=settings)
