"""The use case behind POST /images:import/:name/admit: the limits in bytes, once a worker knows an image's size.

The image's bytes are reserved in its requester's account of the month.
"""

from dataclasses import dataclass

import structlog

from api_service.imports.attempt.check_rules import AttemptRules
from api_service.imports.attempt.fail import fail_import
from api_service.imports.attempt.held_import import (
    HeldImport,
    check_claim,
    excusing_lost_lease,
    has_ended,
    held_with_rules,
    read_import,
)
from api_service.metrics import events
from api_service.rules.authorize import Allowed
from shared.db.access import import_usage
from shared.db.access.import_usage import UsageAccount
from shared.db.database import RETRY_AFTER, Database
from shared.db.imports import Import
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.attempt_start import ImageAdmission

# Between the check and the reservation, twenty imports that are admitted at once may each change the account.
TRIES = 20

_logger = structlog.get_logger(__name__)


class _AccountChangedError(Exception):
    """Other imports have reserved bytes since the check, or the rule is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageAdmitter:
    """Admits images whose rules have limits in bytes."""

    database: Database
    rules: AttemptRules

    async def admit(self, name: str, admission: ImageAdmission) -> Allowed | None:
        """Reserve the image's bytes and return the permission, or None if the import has ended: its worker stops.

        The same request again, another size, and a later attempt replace the import's reservation. Raises
        `import_not_found`, and `import_superseded` if another attempt holds the import.
        """
        async with excusing_lost_lease(self.database, name):
            known = await read_import(self.database, name)
            for _ in range(TRIES):
                try:
                    return await self._try_to_admit(known, admission)
                except _AccountChangedError:
                    continue
        text = "The month's bytes changed while they were reserved."
        raise LongshoreError(Code.DATABASE_UNAVAILABLE, text, retry_after=RETRY_AFTER)

    async def _try_to_admit(self, known: Import, admission: ImageAdmission) -> Allowed | None:
        """Admit the image in one transaction; raises _AccountChangedError, and changes nothing then."""
        async with held_with_rules(self.database, known) as held:
            if has_ended(held.found, admission):
                return None
            check_claim(held.found, admission)
            permission = await self.rules.check(held, size=admission.bytes)
            if isinstance(permission, Allowed):
                await self._reserve(held, permission, admission.bytes)
                return permission
            end = await fail_import(held.connection, held.found, code=permission.code, detail=permission.detail)
        events.attempt_ended(end)
        _logger.info("import.attempt_ended", import_name=known.name, attempt=admission.attempt, code=end.code)
        return None

    async def _reserve(self, held: HeldImport, permission: Allowed, size: int) -> None:
        rule = permission.rule
        if rule is None:
            return
        month = await self.rules.month(held.connection)
        account = UsageAccount(rule_id=rule.id, owner=held.found.requester.owner, month=month)
        limit = rule.max_bytes_per_month
        if not await import_usage.reserve(held.connection, held.found.id, account, size=size, limit=limit):
            raise _AccountChangedError
