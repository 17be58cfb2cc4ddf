"""Plays a campaign on the running product."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.stateful.policy.campaign import Campaign
from tests.stateful.policy.steps import take_step
from tests.stateful.world import Running

# A campaign with more problems than this has one cause: the rest of it shows nothing new.
MAX_PROBLEMS = 20


@dataclass(frozen=True, kw_only=True)
class Report:
    """How often each step and each answer came, and what the policy did not allow."""

    counts: Counter[str]
    problems: Sequence[str]


def play_campaign(running: Running, *, steps: int, seed: int) -> Report:
    """Take this number of random steps; the seed reproduces them."""
    campaign = Campaign(running.world, Random(seed))
    running.do(campaign.begin())
    for _ in range(steps):
        running.do(take_step(campaign))
        if len(campaign.problems) > MAX_PROBLEMS:
            break
    return Report(counts=campaign.counts, problems=campaign.problems)
