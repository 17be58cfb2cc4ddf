"""`python -m benchmarks.api --json FILE`: starts all servers, measures for some minutes, and prints tables."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import click
import uvloop

from benchmarks.api.imports import ImportSamples, measure_imports
from benchmarks.api.lists import Effort, Measured, measure_lists
from benchmarks.api.report import document, tables
from benchmarks.api.stack import Arena, arena
from benchmarks.measure import conditions, write_json


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The sizes of the lists, the number of measurements, and the imports per round."""

    few: int
    many: int
    effort: Effort
    import_rounds: int
    imports: int


FULL = Plan(
    few=1_000,
    many=1_000_000,
    effort=Effort(rounds=9, requests=30, seconds=0.6, connections=16),
    import_rounds=9,
    imports=300,
)
QUICK = Plan(
    few=100,
    many=2_000,
    effort=Effort(rounds=2, requests=5, seconds=0.05, connections=4),
    import_rounds=2,
    imports=20,
)


@click.command()
@click.option(
    "--json", "file", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File for the report."
)
@click.option("--quick", is_flag=True, help="Small lists and few rounds: only a check that it works.")
def main(file: Path, *, quick: bool) -> None:
    """Measure lists and imports next to bare services, and compare the figures with their limits."""
    plan = QUICK if quick else FULL
    before = conditions()
    click.echo(f"Starting everything, and filling lists of {plan.few:,} and {plan.many:,} images …", err=True)
    with arena(plan.few, plan.many) as built:
        lists, imports = uvloop.run(_measure(built, plan))
        write_json(file, document(lists, imports, before, asdict(plan)))
        click.echo(tables(lists, imports, built.few.name, built.many.name))


async def _measure(built: Arena, plan: Plan) -> tuple[list[Measured], ImportSamples]:
    click.echo("Measuring lists …", err=True)
    lists = await measure_lists(built, plan.effort)
    click.echo("Measuring imports …", err=True)
    connections = plan.effort.connections
    return lists, await measure_imports(built, rounds=plan.import_rounds, count=plan.imports, at_once=connections)


if __name__ == "__main__":
    main()
