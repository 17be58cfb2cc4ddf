"""Runs many sequences: `python -m tests.stateful --sequences 500 --target harbor --seed 1`."""

import argparse
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import structlog

from deploy.local.permissive_rule import PERMISSIVE_RULE
from deploy.local.stack import Postgres, RabbitMQ, Registry, Scratch
from shared.db.migrations.migrate import migrate
from shared.target.settings import TargetKind
from tests.stateful.machine import play_sequences
from tests.stateful.world import Servers, running


@contextmanager
def servers() -> Iterator[Servers]:
    """Start PostgreSQL, RabbitMQ and two docker-registries."""
    with ExitStack() as stack:
        scratch = stack.enter_context(Scratch())
        postgres = stack.enter_context(Postgres(scratch, fsync=False))
        rabbitmq = stack.enter_context(RabbitMQ(scratch))
        database_url = postgres.create_database("stateful")
        migrate(database_url)
        postgres.execute(PERMISSIVE_RULE, database="stateful")
        yield Servers(
            database_url=database_url,
            amqp_url=rabbitmq.amqp,
            source=stack.enter_context(Registry(scratch, name="source")),
            upstream=stack.enter_context(Registry(scratch, name="target")),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=500)
    parser.add_argument("--target", type=TargetKind, choices=list(TargetKind), default=TargetKind.HARBOR)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shrink", action="store_true", help="look for a shorter failing sequence")
    parser.add_argument("--verbose", action="store_true", help="show every step")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with servers() as started, running(started, given.target) as world:
        begun = time.monotonic()
        play_sequences(world, sequences=given.sequences, seed=given.seed, shrink=given.shrink, verbose=given.verbose)
        seconds = time.monotonic() - begun
    print(f"{given.sequences} sequences, target {given.target}, seed {given.seed}: held, {seconds:.0f} s")  # noqa: T201


if __name__ == "__main__":
    main()
