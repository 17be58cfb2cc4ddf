"""Copies between dictionaries, as a worker runs them."""

from import_worker.copying.image import ImageCopy
from shared.oci.platform import Platform
from shared.planning.make_plan import make_plan
from shared.planning.plan import ImportPlan
from tests.import_worker.ends import Board, DictLedger, DictSource, DictTarget


async def allowed() -> None:
    """A fence that permits every write."""


async def copy(
    source: DictSource, target: DictTarget, *, ledger: DictLedger | None = None, platforms: tuple[Platform, ...] = ()
) -> tuple[ImportPlan, Board]:
    """Copy the source's image to the tag `latest`."""
    plan, board = await make_plan(source, await source.resolve(), platforms), Board()
    copying = ImageCopy(plan, source, target, ledger=ledger or DictLedger(), board=board, slots=2)
    await copying.run("latest", allowed)
    return plan, board


async def copy_as_first_attempt(source: DictSource, target: DictTarget, ledger: DictLedger) -> None:
    """Copy as an import's first attempt, which assumes that a repository without tags is empty."""
    plan = await make_plan(source, await source.resolve(), ())
    copying = ImageCopy(plan, source, target, ledger=ledger, board=Board(), slots=2, first_attempt=True)
    await copying.run("latest", allowed)
