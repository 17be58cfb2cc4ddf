"""The use cases behind /import-rules: which users may import what, to where, and within which limits."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from api_service.audit.note import note_object
from api_service.auth.identity import Identity
from api_service.rules.authorize import next_month
from api_service.rules.request import RuleChange
from api_service.rules.rule_book import RuleBook
from api_service.rules.subjects import own_subjects
from shared.db.access import import_rules, rule_usage
from shared.db.access.import_rules import StoredRule
from shared.db.database import Connection, Database
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.import_rule import RuleValues, Usage
from shared.model.roles import Role

# Every import is compared with all rules, and they are listed without pages. A company needs one or two for each team.
MAX_RULES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRule:
    """A rule as a caller sees it. `usage` is the caller's own, None for admins, whom no rule limits."""

    stored: StoredRule
    usage: Usage | None = None
    renews: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRules:
    """Stores rules; `book` forgets its cache after each change."""

    database: Database
    book: RuleBook

    async def list_for(self, by: Identity) -> Sequence[ShownRule]:
        """Return all rules to an admin, and to a user those that apply to this user, by id.

        A user sees of a rule's subjects only the own ones, and the own usage of its limits.
        """
        async with self.database.connection() as connection:
            found = await import_rules.list_rules(connection)
            if by.role is Role.ADMIN:
                return [ShownRule(stored=stored) for stored in found]
            applying = [own for stored in found if (own := _for_user(stored, by))]
            usage = await rule_usage.read_usage(connection, by.owner, [stored.rule.id for stored in applying])
        renews = next_month(usage.at)
        return [ShownRule(stored=stored, usage=usage.by_rule[stored.rule.id], renews=renews) for stored in applying]

    async def get(self, rule_id: int) -> ShownRule:
        """Return one; raises `rule_not_found`."""
        async with self.database.connection() as connection:
            return ShownRule(stored=await _get(connection, rule_id))

    async def create(self, values: RuleValues, by: Identity) -> ShownRule:
        """Store one; raises `rule_exists` if its name is taken, and `rule_limit_reached`."""
        note_object(values.name)
        async with self._changing() as connection:
            if await import_rules.count_rules(connection) >= MAX_RULES:
                raise LongshoreError(Code.RULE_LIMIT_REACHED, f"There are {MAX_RULES} rules already.")
            await _check_name(connection, values)
            return ShownRule(stored=await import_rules.insert_rule(connection, values, user=by.user))

    async def change(self, rule_id: int, change: RuleChange) -> ShownRule:
        """Change the given values; raises `rule_not_found` and `rule_exists`."""
        async with self._changing() as connection:
            stored = await _get(connection, rule_id)
            changed = change.apply(stored.rule)
            if changed == stored.rule:
                return ShownRule(stored=stored)
            await _check_name(connection, changed, rule_id)
            return ShownRule(stored=await import_rules.update_rule(connection, rule_id, changed))

    async def delete(self, rule_id: int) -> None:
        """Delete one; imports that no rule allows then end when a worker claims them. Raises `rule_not_found`."""
        async with self._changing() as connection:
            await _get(connection, rule_id)
            await import_rules.delete_rule(connection, rule_id)

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[Connection]:
        """Open a transaction that no other change of rules overlaps."""
        async with self.database.transaction() as connection:
            await import_rules.lock_rules(connection)
            yield connection
        self.book.forget()


def _for_user(stored: StoredRule, by: Identity) -> StoredRule | None:
    own = own_subjects(stored.rule.subjects, by)
    return replace(stored, rule=replace(stored.rule, subjects=own), created_by="") if own else None


async def _get(connection: Connection, rule_id: int) -> StoredRule:
    found = await import_rules.get_rule(connection, rule_id)
    if found is None:
        raise LongshoreError(Code.RULE_NOT_FOUND, f"There is no import rule {rule_id}.")
    note_object(found.rule.name)
    return found


async def _check_name(connection: Connection, values: RuleValues, own_id: int | None = None) -> None:
    found = await import_rules.find_rule(connection, values.name)
    if found and found.rule.id != own_id:
        reason = f"The import rule {found.rule.id} has the name {values.name} already."
        raise LongshoreError(Code.RULE_EXISTS, reason, fields={"name": reason})
