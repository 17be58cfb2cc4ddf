"""In every sequence of actions, ready images are in the target, and no tag is deleted by mistake."""

import os

import pytest

from deploy.local.stack import Registry
from shared.target.settings import TargetKind
from tests.stateful.machine import play_sequences
from tests.stateful.world import Servers, running

# Enough to run every step, in a fraction of a minute; `python -m tests.stateful` runs any number.
SEQUENCES = 40


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", TargetKind)
def test_no_sequence_leaves_the_target_and_the_list_apart(
    kind: TargetKind, database_url: str, amqp_url: str, public_registry: Registry, target_registry: Registry
) -> None:
    """The sequences are the same each time; SEQUENCES_SEED=n selects others. A failure prints a minimal sequence."""
    seed = int(os.environ.get("SEQUENCES_SEED", "1"))
    servers = Servers(database_url=database_url, amqp_url=amqp_url, source=public_registry, upstream=target_registry)
    with running(servers, kind) as world:
        play_sequences(world, sequences=SEQUENCES, seed=seed, shrink=True)
