"""The steps of the campaign. Each checks its answer and the whole target against the reference."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count

from shared.target.settings import TargetKind
from tests.stateful.gate import Point
from tests.stateful.policy.campaign import SOURCE_TAG, Campaign
from tests.stateful.policy.places import CALLERS, MAX_RULES, ROOT, Place, random_rule
from tests.stateful.policy.reference import allowing
from tests.stateful.world import ORIGINS

# Imports of one user at once, against a limit of open imports.
BURST = 5

_numbers = count(1)


async def take_step(campaign: Campaign) -> None:
    """Take one random step."""
    campaign.counts["steps"] += 1
    steps: tuple[tuple[Callable[[Campaign], Awaitable[None]], int], ...] = (
        (_import, 40),
        (_import_while_rules_change, 8),
        (_import_while_the_tag_moves, 8),
        (_retry, 8),
        (_delete, 10),
        (_dry_run, 10),
        (_change_rules, 12),
        (_push_by_hand, 6),
        (_untag_by_hand, 3),
        (_burst, 2),
    )
    chosen = campaign.random.choices([step for step, _ in steps], [weight for _, weight in steps])[0]
    campaign.counts[chosen.__name__.strip("_")] += 1
    await chosen(campaign)


async def _import(campaign: Campaign) -> None:
    await _run_import(campaign, _target(campaign))


async def _import_while_rules_change(campaign: Campaign) -> None:
    """Change the rules after the import was accepted and before its worker has begun it."""
    await _run_import(campaign, _target(campaign), hold=Point.CLAIMED, meanwhile=_change_rules)


async def _import_while_the_tag_moves(campaign: Campaign) -> None:
    """Push to the tag before its PUT; the pipeline's image has to stay."""
    place = _target(campaign)

    async def push(campaign: Campaign) -> None:
        # The project may be one that the held import has not created yet: a pipeline cannot push there.
        if await campaign.world.has_project(place.project):
            await campaign.push_by_hand(place)
        campaign.tags = await campaign.look()

    hold = campaign.random.choice((Point.CLAIMED, Point.COPIED, Point.FENCED))
    await _run_import(campaign, place, hold=hold, meanwhile=push)


async def _run_import(
    campaign: Campaign,
    place: Place,
    *,
    hold: Point | None = None,
    meanwhile: Callable[[Campaign], Awaitable[None]] | None = None,
) -> None:
    caller, source = campaign.random.choice(CALLERS), campaign.random.choice(ORIGINS)
    if place in (campaign.derived(other) for other in ORIGINS):
        place = campaign.derived(source)
    force = campaign.random.random() < 0.4
    step = f"import of {source} to {place} by {caller.name}{' with force' if force else ''}"
    existed = await campaign.managed(place) is not None
    request = campaign.request(caller, source, place, force=force)
    answer = await campaign.world.call(
        "POST", "/images:import", user=caller.name, body=_body(campaign, source, place, force=force)
    )
    accepted = campaign.check_answer(step, request, answer, may_conflict=existed)
    if not accepted or answer.body["state"] != 1:
        await campaign.check_tags(step, {})
        return
    await _finish(campaign, step, answer.body["name"], place, source, hold=hold, meanwhile=meanwhile)


async def _finish(
    campaign: Campaign,
    step: str,
    name: str,
    place: Place,
    source: str,
    *,
    hold: Point | None = None,
    meanwhile: Callable[[Campaign], Awaitable[None]] | None = None,
) -> None:
    """Let an accepted import end, with a change while it is held; the tag may only become the source's digest."""
    before = campaign.tags.get(place)
    campaign.world.gate.expect(name, hold)
    refused = set[str]()
    if hold and meanwhile and await campaign.wait_at(name, hold):
        await meanwhile(campaign)
        if hold is Point.CLAIMED:
            refused = set(await _refused_now(campaign, name, place, source))
        campaign.world.gate.release(name)
    state, code = await campaign.ended(name)
    campaign.counts[f"ended {state} {code or ''}".strip()] += 1
    moved = campaign.tags.get(place) != before
    if (refused or moved) and state == "ready":
        campaign.problem(f"{step} became ready although {sorted(refused) or 'the tag had moved'}")
    if not refused and not moved and state != "ready":
        campaign.problem(f"{step} ended {state} with {code}")
    await campaign.learn_project(place.project)
    await campaign.check_tags(step, {place: {campaign.digest_of(source)} if state == "ready" else ()})


async def _refused_now(campaign: Campaign, name: str, place: Place, source: str) -> set[str]:
    """Return the codes with which the rules of this moment refuse an accepted import."""
    async with campaign.world.database.connection() as connection:
        row = await connection.fetchrow("SELECT requested_by, force FROM imports WHERE name = $1", name)
    assert row is not None
    caller = next(caller for caller in CALLERS if caller.name == row["requested_by"])
    # The tag was looked up when the import was accepted; only the rules are read again.
    request = campaign.request(caller, source, place, force=row["force"])
    return set(campaign.refusals(request))


async def _retry(campaign: Campaign) -> None:
    """Retry an image's import; the caller's own rights count, not those of the first request."""
    caller, place = campaign.random.choice(CALLERS), campaign.random.choice(campaign.places)
    image = await campaign.managed(place)
    if image is None:
        return
    source = image.source.partition("/")[2].partition(":")[0]
    step = f"retry of {place} by {caller.name}"
    request = campaign.request(caller, source, place, force=image.force)
    answer = await campaign.world.call("POST", f"/images/{image.id}/importing:retry", user=caller.name, body={})
    if answer.status == 200 and not caller.admin and caller.name != image.owner:
        campaign.problem(f"{step} was accepted, but the image is {image.owner}'s")
    if campaign.check_answer(step, request, answer, may_conflict=True):
        await _finish(campaign, step, answer.body["name"], place, source)
    else:
        await campaign.check_tags(step, {})


async def _delete(campaign: Campaign) -> None:
    """Delete an image; a tag that points to the pipeline's image has to stay."""
    caller, place = campaign.random.choice(CALLERS), campaign.random.choice(campaign.places)
    image = await campaign.managed(place)
    if image is None:
        return
    step = f"deletion of {place} by {caller.name}"
    may = caller.admin or caller.name == image.owner
    answer = await campaign.world.call("DELETE", f"/images/{image.id}", user=caller.name)
    if (answer.status == 200) != may:
        campaign.problem(f"{step}, an image of {image.owner}, was answered {answer.status}")
    ours = campaign.tags.get(place) not in campaign.by_hand
    await campaign.check_tags(step, {place: {None} if may and ours else ()})
    if may and ours and place in campaign.tags:
        campaign.problem(f"{step} left the tag")


async def _dry_run(campaign: Campaign) -> None:
    caller, source, place = campaign.random.choice(CALLERS), campaign.random.choice(ORIGINS), _target(campaign)
    force = campaign.random.random() < 0.4
    step = f"dry run of {source} to {place} by {caller.name}"
    existed = await campaign.managed(place) is not None
    request = campaign.request(caller, source, place, force=force)
    body = {**_body(campaign, source, place, force=force), "dryRun": True}
    answer = await campaign.world.call("POST", "/images:import", user=caller.name, body=body)
    accepted = campaign.check_answer(step, request, answer, may_conflict=existed)
    behind_the_tag = campaign.tags.get(place)
    reaches = not campaign.refusals(replace(request, foreign=False))
    if not accepted and not reaches and behind_the_tag and behind_the_tag in str(answer.body):
        campaign.problem(f"{step} told {caller.name} the digest {behind_the_tag}")
    await campaign.check_tags(step, {})


async def _change_rules(campaign: Campaign) -> None:
    """Create or delete a rule; users are refused, and change nothing."""
    caller = campaign.random.choice(CALLERS)
    if campaign.rules and (len(campaign.rules) >= MAX_RULES or campaign.random.random() < 0.5):
        chosen = campaign.random.choice(sorted(campaign.rules))
        answer = await campaign.world.call("DELETE", f"/import-rules/{chosen}", user=caller.name)
        if answer.status == 200:
            del campaign.rules[chosen]
    else:
        rule = random_rule(campaign.random, f"rule {next(_numbers)}", campaign.host)
        answer = await campaign.world.call("POST", "/import-rules", user=caller.name, body=rule.body)
        if answer.status in (200, 201):
            campaign.rules[answer.body["id"]] = rule
    if (answer.status in (200, 201, 204)) != caller.admin:
        campaign.problem(f"a change of the rules by {caller.name} was answered {answer.status} {answer.body}")


async def _push_by_hand(campaign: Campaign) -> None:
    place = campaign.random.choice([place for place in campaign.places if place.project in campaign.projects])
    await campaign.push_by_hand(place)
    campaign.tags = await campaign.look()


async def _untag_by_hand(campaign: Campaign) -> None:
    places = sorted(campaign.tags)
    if places:
        place = campaign.random.choice(places)
        await campaign.world.remove_tag(place.repository, place.tag, campaign.tags[place])
        campaign.tags = await campaign.look()


async def _burst(campaign: Campaign) -> None:
    """Start several imports of one user at once: no more are accepted than the rules' limits allow together."""
    caller, source = campaign.random.choice(CALLERS), ORIGINS[0]
    places = [Place(repository="team/app", tag=f"burst-{next(_numbers)}") for _ in range(BURST)]
    request = campaign.request(caller, source, places[0], force=False)
    limits = [rule.max_open for rule in allowing(list(campaign.rules.values()), request)]
    bound = BURST if caller is ROOT or None in limits else min(BURST, sum(limit or 0 for limit in limits))
    campaign.places += places
    answers = await asyncio.gather(
        *(
            campaign.world.call(
                "POST", "/images:import", user=caller.name, body=_body(campaign, source, place, force=False)
            )
            for place in places
        )
    )
    # Each worker waits at its first point until `expect` is called: all accepted imports are open now.
    started = [
        (answer.body["name"], place) for answer, place in zip(answers, places, strict=True) if answer.status == 200
    ]
    if len(started) != bound:
        campaign.problem(f"{len(started)} of {BURST} imports by {caller.name} were accepted, {bound} are allowed")
    for name, _ in started:
        campaign.world.gate.expect(name, None)
    for name, _ in started:
        await campaign.ended(name)
    await campaign.check_tags("burst", {place: {campaign.digest_of(source)} for _, place in started})
    campaign.places = campaign.places[:-BURST]


def _target(campaign: Campaign) -> Place:
    """Return a place: a known one, or one in a new project."""
    if campaign.random.random() < 0.05:
        project = f"new{next(_numbers)}"
        place = Place(repository=f"{project}/app", tag="1")
        campaign.places.append(place)
        if campaign.world.kind is TargetKind.REGISTRY:
            campaign.projects.add(project)
        return place
    return campaign.random.choice(campaign.places)


def _body(campaign: Campaign, source: str, place: Place, *, force: bool) -> dict[str, object]:
    """Return the request's body; a derived name is left to the product half of the time."""
    body: dict[str, object] = {"source": f"{campaign.host}/{source}:{SOURCE_TAG}", "force": force, "target": str(place)}
    if place == campaign.derived(source) and campaign.random.random() < 0.5:
        del body["target"]
    return body
