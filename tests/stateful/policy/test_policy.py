"""Whatever users, admins and a pipeline do, the target changes only as the import rules allow."""

import os

import pytest

from deploy.local.stack import Registry, Scratch
from shared.target.settings import TargetKind
from tests.stateful.policy.play import play_campaign
from tests.stateful.world import Servers, running

# Enough for every kind of step and every kind of refusal; `python -m tests.stateful.policy` takes any number.
STEPS = 200


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", TargetKind)
def test_no_step_changes_the_target_against_the_policy(
    kind: TargetKind, database_url: str, amqp_url: str, public_registry: Registry, scratch: Scratch
) -> None:
    """The steps are the same each time; SEQUENCES_SEED=n selects others."""
    seed = int(os.environ.get("SEQUENCES_SEED", "1"))
    # A registry of its own: a tag that another test left there would be foreign to this database.
    with Registry(scratch, name=f"policy-{kind}") as upstream:
        servers = Servers(database_url=database_url, amqp_url=amqp_url, source=public_registry, upstream=upstream)
        with running(servers, kind) as world:
            report = play_campaign(world, steps=STEPS, seed=seed)
    assert not report.problems, report.problems
    assert report.counts["accepted"]
    refused = {"source_not_allowed", "target_not_allowed", "target_tag_foreign"}
    assert refused <= report.counts.keys(), report.counts
