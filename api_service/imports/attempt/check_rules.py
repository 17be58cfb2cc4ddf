"""Checks an import that a worker has claimed against the rules of today: they may have changed while it was queued."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeAlias

from api_service.auth.identity import Identity
from api_service.imports.attempt.held_import import HeldImport
from api_service.imports.permission import ImportPermissions
from api_service.imports.target_tag import FoundTag
from api_service.rules.authorize import Allowed, Facts, Permission, authorize
from shared.db import images, imports
from shared.db.access import import_usage
from shared.db.database import Connection
from shared.db.imports import Import
from shared.messages.attempt_start import NO_TAG
from shared.model.import_rule import ImportRule, Usage
from shared.model.roles import Role
from shared.oci.engine_image import parse_source

# Returns the time by which months begin and end.
Clock: TypeAlias = Callable[[Connection], Awaitable[datetime]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRules:
    """Checks claimed imports. The `clock` is the database's, so that no service's time matters."""

    permissions: ImportPermissions
    clock: Clock = import_usage.current_time

    async def check(self, held: HeldImport, *, tag: FoundTag | None = None, size: int | None = None) -> Permission:
        """Return whether the rules allow an import.

        `tag` is the target's tag if it has just been looked up, `size` that of the image in bytes if it is known. An
        import of a release without rules is allowed: nothing is known about its requester's rights.
        """
        connection, found = held.connection, held.found
        role = found.requester.role
        if role is None:
            return Allowed(rule=None)
        image = await images.get_image(connection, found.image_id)
        if image is None:
            raise LookupError(f"the import {found.name} has no image")
        names = self.permissions.names(parse_source(found.source), image.repository)
        now = await self.clock(connection)
        written = await imports.digests_written(connection, found.image_id)
        facts = Facts(
            force=found.force,
            foreign_tag=(tag or FoundTag(digest=found.tag_before or NO_TAG)).foreign(written),
            image_bytes=size,
            usage=await _usage(connection, found, import_usage.month_of(now)),
            now=now,
        )
        return authorize(_in_order(held.rules, found.rule_id), _identity(found, role), names, facts)

    async def month(self, connection: Connection) -> date:
        """Return the first day of the current month."""
        return import_usage.month_of(await self.clock(connection))


def _identity(found: Import, role: Role) -> Identity:
    requester = found.requester
    return Identity(
        user=requester.user,
        role=role,
        issuer=requester.owner.issuer,
        subject=requester.owner.subject,
        groups=requester.groups,
    )


def _in_order(rules: Sequence[ImportRule], accepted_by: int | None) -> list[ImportRule]:
    """Return the rules, the one that the import was accepted by first: the import goes on by it while it allows it.

    Rules that create projects if that one does follow next.
    """
    creates = any(rule.create_projects for rule in rules if rule.id == accepted_by)
    return sorted(rules, key=lambda rule: (rule.id != accepted_by, rule.create_projects < creates, rule.id))


async def _usage(connection: Connection, found: Import, month: date) -> dict[int, Usage]:
    """Return what the requester holds of each rule's limits without this import.

    The number of open imports was checked when the import was accepted. It counts again only for another rule.
    """
    usage = await import_usage.usage_without(connection, found.requester.owner, month, found.id)
    if found.rule_id in usage:
        usage[found.rule_id] = replace(usage[found.rule_id], open_imports=0)
    return usage
