"""Gathers the facts about a requested import, and asks the import rules whether the caller may have it."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace

from api_service.audit.note import note_rule
from api_service.auth.identity import Identity
from api_service.imports.source.target_name import TargetNaming
from api_service.imports.turns import Turns
from api_service.rules.authorize import Facts, ForeignTag, Names, Refused, applicable_rules, authorize
from api_service.rules.rule_book import RuleBook
from shared.db.access import rule_usage
from shared.db.database import Connection
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.import_rule import ImportRule
from shared.oci.engine_image import ImageSource
from shared.target.management import TargetManagement

# How long the API waits for the target's answer while its caller waits: the API answers within five seconds. Seconds.
TARGET_DEADLINE = 4.0
# `allowedBy` for imports that need no rule.
ADMIN = "admin"
# The weight of imports that need no rule: an admin has twice the share of a user whose rule gives no other weight.
ADMIN_WEIGHT = 2
# Far below the limit of a user's open imports, requests are not counted one after the other: each one's statement sees
# all but those of statements that run at the same moment, and these are fewer than this, as database connections are.
UNCOUNTED = 500
# The Retry-After of a request beyond that limit: imports of small images end within seconds. Seconds.
RETRY_AFTER = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """An import that is allowed, with everything that the decision used.

    `rule` allows it; None: the caller is an admin. `rules` are all rules of that moment: when a limit of `rule` is
    reached, another of them may allow the import. The user may have `max_open` open imports; with `is_far`, the user
    had so few that requests need not be counted one after the other.
    """

    by: Identity
    names: Names
    facts: Facts
    rule: ImportRule | None
    rules: Sequence[ImportRule]
    max_open: int
    is_far: bool = False

    @property
    def max_uncounted(self) -> int:
        """The number of open imports up to which requests need not be counted one after the other."""
        return self.max_open - UNCOUNTED

    @property
    def rule_id(self) -> int | None:
        return self.rule.id if self.rule else None

    @property
    def weight(self) -> int:
        """The import's weight when workers choose among users."""
        return self.rule.weight if self.rule else ADMIN_WEIGHT

    @property
    def allowed_by(self) -> str:
        """The rule's name, or `admin`."""
        return self.rule.name if self.rule else ADMIN

    @property
    def needs_project(self) -> bool:
        """Whether the decision depends on the target's project: a rule that may allow the import creates none."""
        return self.rule is not None and not all(rule.create_projects for rule in _applicable(self))

    @property
    def is_limited(self) -> bool:
        """Whether the rule has a limit that other imports of the caller use up."""
        rule = self.rule
        return rule is not None and (rule.max_open_imports is not None or rule.max_bytes_per_month is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPermissions:
    """Answers whether a caller may import a source to a target, by the rules of this moment.

    The order of a request: `grant_names` before anything is asked of another server, `find_project` at the same time
    as the source, `grant_facts` with all facts, `look_at_open`, then, in the caller's `turn`, `hold_limits` and
    `grant_within_limits` in the transaction that adds the import. `max_open` is the limit of each user's open imports.
    """

    book: RuleBook
    naming: TargetNaming
    management: TargetManagement
    max_open: int
    turns: Turns = field(default_factory=Turns)

    def names(self, source: ImageSource, repository: str) -> Names:
        """Return the names by which rules know this source and this repository of the target."""
        return Names(
            source=f"{source.registry}/{source.repository}",
            target=repository,
            derived=self.naming.derived(source),
            default_project=self.naming.project,
        )

    async def grant_names(self, by: Identity, source: ImageSource, repository: str) -> Grant:
        """Return the permission by the names alone; raises `source_not_allowed` or `target_not_allowed`."""
        names = self.names(source, repository)
        return _grant(await self.book.current(), by, names, Facts(), max_open=self.max_open)

    async def find_project(self, grant: Grant) -> bool | None:
        """Return whether the target's project exists; None if no decision needs it, or the target does not answer.

        A worker that may not create projects finds a missing one, too.
        """
        if not grant.needs_project:
            return None
        try:
            async with asyncio.timeout(TARGET_DEADLINE):
                return await self.management.has_project(grant.names.target)
        except (LongshoreError, TimeoutError):
            return None

    async def grant_facts(self, grant: Grant, facts: Facts) -> Grant:
        """Decide again with these facts and the rules of this moment; raises the refusal.

        Raises `source_not_allowed`, `target_not_allowed`, `limit_reached` and `target_tag_foreign`.
        """
        rules = await self.book.current()
        if rules is grant.rules and not facts.may_refuse:
            return replace(grant, facts=facts)
        return _grant(rules, grant.by, grant.names, facts, max_open=self.max_open)

    async def look_at_open(self, connection: Connection, grant: Grant) -> Grant:
        """Return the grant with whether the caller is far from the limit of open imports."""
        opened = await rule_usage.count_open(connection, grant.by.owner, most=max(0, grant.max_uncounted))
        return replace(grant, is_far=opened < grant.max_uncounted)

    def turn(self, grant: Grant, *, may_change: bool) -> AbstractAsyncContextManager[None]:
        """Return the caller's turn to open the transaction that adds the import; see `hold_limits`."""
        return self.turns.of(grant.by.owner) if _uses_up(grant, may_change=may_change) else nullcontext()


def grant_with_tag(grant: Grant, tag: ForeignTag | None) -> Grant:
    """Decide again, knowing that no import wrote the target's tag; raises `target_tag_foreign`."""
    if tag is None:
        return grant
    return _again(grant, replace(grant.facts, foreign_tag=tag))


async def hold_limits(connection: Connection, grant: Grant, *, may_change: bool) -> None:
    """Let no other transaction add imports of this caller until this one ends, if that can exceed a limit.

    Call it before the transaction locks an image. `may_change`: in the end, another rule may allow the import.
    """
    if _uses_up(grant, may_change=may_change):
        await rule_usage.lock_usage(connection, grant.by.owner)


async def grant_within_limits(connection: Connection, grant: Grant) -> Grant:
    """Decide again with the caller's usage; raises `limit_reached` and `import_limit_reached`.

    To add an import, call it after `hold_limits` in the same transaction.
    """
    most = grant.max_uncounted if grant.is_far else grant.max_open
    opened = await rule_usage.count_open(connection, grant.by.owner, most=most)
    if opened >= most:
        raise LongshoreError(
            Code.IMPORT_LIMIT_REACHED,
            f"{grant.by.user} has {opened} open imports; {grant.max_open} are allowed.",
            retry_after=RETRY_AFTER,
        )
    if not grant.is_limited:
        return grant
    usage = await rule_usage.read_usage(connection, grant.by.owner, [rule.id for rule in _applicable(grant)])
    facts = replace(grant.facts, usage=usage.by_rule, now=usage.at)
    return _again(grant, facts)


def _uses_up(grant: Grant, *, may_change: bool) -> bool:
    """Return whether imports at the same time could exceed a limit together."""
    if not grant.is_far:
        return True
    return (grant.is_limited or may_change) and any(rule.max_open_imports is not None for rule in _applicable(grant))


def _applicable(grant: Grant) -> Sequence[ImportRule]:
    return applicable_rules(grant.rules, grant.by, grant.names)


def _again(grant: Grant, facts: Facts) -> Grant:
    decided = _grant(grant.rules, grant.by, grant.names, facts, max_open=grant.max_open)
    return replace(decided, is_far=grant.is_far)


def _grant(rules: Sequence[ImportRule], by: Identity, names: Names, facts: Facts, *, max_open: int) -> Grant:
    permission = authorize(rules, by, names, facts)
    if isinstance(permission, Refused):
        raise permission.error
    note_rule(permission.rule.id if permission.rule else None)
    return Grant(by=by, names=names, facts=facts, rule=permission.rule, rules=rules, max_open=max_open)
