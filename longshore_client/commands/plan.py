"""`longshore import --dry-run`: the plan of an import."""

import asyncio
from collections.abc import Sequence

from longshore_client.batch import MAX_REQUESTS
from longshore_client.client import LongshoreClient
from longshore_client.commands.exit_codes import ExitCode
from longshore_client.errors import ClientError
from longshore_client.import_plan import ContentCount, ImportPlan
from longshore_client.import_request import ImportRequest
from longshore_client.terminal.figures import size
from longshore_client.terminal.output import note, print_error, print_json, results
from longshore_client.terminal.tables import Column, print_pairs, print_table

# `allowedBy` of an import that needs no rule.
_ADMIN = "admin"


async def plan_one(client: LongshoreClient, request: ImportRequest, *, as_json: bool) -> ExitCode:
    """Print one plan in full."""
    plan = await client.plan(request)
    if as_json:
        print_json(plan.raw)
    else:
        print_pairs(results(), _pairs(plan))
        note(plan.message)
    return _exit_code([plan])


async def plan_many(client: LongshoreClient, requests: Sequence[ImportRequest], *, as_json: bool) -> ExitCode:
    """Print a line for each plan, and the error of each import that has none."""
    await client.whoami()
    slots = asyncio.Semaphore(MAX_REQUESTS)

    async def plan(request: ImportRequest) -> ImportPlan | ClientError:
        async with slots:
            try:
                return await client.plan(request)
            except ClientError as error:
                return error

    plans = await asyncio.gather(*(plan(request) for request in requests))
    _print(requests, plans, as_json=as_json)
    return _exit_code(plans)


def _print(requests: Sequence[ImportRequest], plans: Sequence[ImportPlan | ClientError], *, as_json: bool) -> None:
    found = [plan for plan in plans if isinstance(plan, ImportPlan)]
    if as_json:
        print_json([plan.raw for plan in found])
    else:
        columns = (
            Column(title="SOURCE"),
            Column(title="TARGET"),
            Column(title="SIZE", justify="right", no_wrap=True),
            Column(title="TO MOVE", justify="right", no_wrap=True),
            Column(title="FITS", no_wrap=True),
        )
        print_table(results(), columns, [_row(plan) for plan in found])
        note(f"To move in total: {size(sum(plan.bytes_to_move for plan in found))}; shared layers count in each image.")
    for request, error in zip(requests, plans, strict=True):
        if isinstance(error, ClientError):
            note(f"{request.source}:")
            print_error(error)


def _row(plan: ImportPlan) -> Sequence[str]:
    return (plan.source, plan.target, size(plan.bytes_total), size(plan.bytes_to_move), _fits(plan))


def _fits(plan: ImportPlan) -> str:
    return {True: "yes", False: "no", None: ""}[plan.fits]


def _exit_code(plans: Sequence[ImportPlan | ClientError]) -> ExitCode:
    possible = all(isinstance(plan, ImportPlan) and plan.fits is not False for plan in plans)
    return ExitCode.DONE if possible else ExitCode.FAILED


def _pairs(plan: ImportPlan) -> Sequence[tuple[str, str]]:
    return (
        ("Source", plan.source),
        ("Digest", plan.source_digest),
        ("Target", plan.target),
        ("Platforms", ", ".join(plan.platforms)),
        ("Size", size(plan.bytes_total)),
        ("In target", size(plan.bytes_in_target)),
        ("Mountable", size(plan.bytes_mountable)),
        ("To move", size(plan.bytes_to_move)),
        ("Blobs", _count(plan.blobs)),
        ("Manifests", _count(plan.manifests)),
        ("Referrers", str(plan.referrers) if plan.referrers else ""),
        ("Overwrites", _overwritten(plan)),
        ("Quota room", "" if plan.quota_room is None else size(max(0, plan.quota_room))),
        ("Fits", _fits(plan)),
        ("Allowed by", _allowed_by(plan)),
    )


def _allowed_by(plan: ImportPlan) -> str:
    return f"the rule {plan.allowed_by}" if plan.allowed_by not in ("", _ADMIN) else plan.allowed_by


def _count(count: ContentCount) -> str:
    return f"{count.total}: {count.in_target} in the target, {count.mountable} mountable, {count.to_move} to move"


def _overwritten(plan: ImportPlan) -> str:
    present = plan.overwrites
    if present is None:
        return ""
    managed = f"image {present.image_id} of {present.user}"
    return f"{present.digest}, {managed if present.image_id else 'an image that Longshore does not manage'}"
