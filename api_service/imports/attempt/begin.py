"""The use case behind POST /images:import/:name/begin: a worker has claimed an import, and asks for its terms.

Rules may have changed while the import was queued, so it is checked again. The worker holds no keys: it gets the
source's account here.
"""

import asyncio
from dataclasses import dataclass, replace

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
from api_service.imports.target_tag import FoundTag, TargetTags
from api_service.metrics import events
from api_service.metrics.events import AttemptEnd
from api_service.rules.authorize import Allowed
from shared.db import images, imports
from shared.db.access import import_usage
from shared.db.database import Connection, Database
from shared.db.imports import Import
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.attempt_start import AttemptStart, AttemptTerms, ExpectedTag
from shared.model.credential import Credential
from shared.model.sealed_account import Box, open_account
from shared.oci.engine_image import parse_source

# The limit for the lookup of the target's tag: the API answers within five seconds. Seconds.
LOOKUP_DEADLINE = 3.5

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptBeginner:
    """Gives attempts their terms. `secrets` opens the accounts of imports.

    `deadline` is the time that an import has from the start of its first attempt on, in seconds.
    """

    database: Database
    tags: TargetTags
    rules: AttemptRules
    secrets: Box
    deadline: float

    async def begin(self, name: str, start: AttemptStart) -> AttemptTerms | None:
        """Return the attempt's terms, or None if the import has ended: its worker stops.

        The same request again has the same answer, but for the time that is left. Raises `import_not_found`,
        `import_superseded` if another attempt holds the import, and the target's error if its tag has to be looked up
        and cannot be.
        """
        async with excusing_lost_lease(self.database, name):
            known = await read_import(self.database, name)
            if has_ended(known, start):
                return None
            check_claim(known, start)
            tag = await self._look_tag_up(known) if known.tag_before is None else None
            async with held_with_rules(self.database, known) as held:
                if has_ended(held.found, start):
                    return None
                check_claim(held.found, start)
                answer = await self._begin(held, tag)
        if isinstance(answer, AttemptTerms):
            return answer
        events.attempt_ended(answer)
        _logger.info("import.attempt_ended", import_name=name, attempt=start.attempt, code=answer.code)
        return None

    async def _look_tag_up(self, found: Import) -> FoundTag:
        """Look the target's tag up, which did not answer when the import was accepted; raises the target's error."""
        async with self.database.connection() as connection:
            image = await images.get_image(connection, found.image_id)
        if image is None:
            raise LongshoreError(Code.IMPORT_NOT_FOUND, f"The image of the import {found.name} is deleted.")
        try:
            async with asyncio.timeout(LOOKUP_DEADLINE):
                return await self.tags.read(image.repository, image.tag)
        except TimeoutError:
            text = f"The target did not answer a request for the tag within {LOOKUP_DEADLINE} seconds."
            raise LongshoreError(Code.TARGET_STALLED, text) from None

    async def _begin(self, held: HeldImport, tag: FoundTag | None) -> AttemptTerms | AttemptEnd:
        connection, found = held.connection, held.found
        await imports.record_begin(connection, found.id, rule_id=found.rule_id)
        permission = await self.rules.check(held, tag=tag)
        if not isinstance(permission, Allowed):
            return await fail_import(connection, found, code=permission.code, detail=permission.detail)
        try:
            account = await self._open_account(connection, found)
        except LongshoreError as error:
            return await fail_import(connection, found, code=error.code, detail=error.detail)
        await _go_on_by(connection, found, permission)
        terms = _terms(permission, account, await _expected_tag(connection, found, tag))
        return replace(terms, seconds_left=round(max(self.deadline - (found.tried or 0.0), 0.0), 1))

    async def _open_account(self, connection: Connection, found: Import) -> Credential | None:
        """Return the source's account; raises `credentials_unreadable`."""
        sealed = await imports.get_account(connection, found.id)
        return open_account(self.secrets, sealed, host=parse_source(found.source).registry)


async def _go_on_by(connection: Connection, found: Import, permission: Allowed) -> None:
    """Record the rule that allows the import now; what it holds of another rule's limit is given back."""
    rule_id = permission.rule.id if permission.rule else None
    if rule_id != found.rule_id:
        await import_usage.give_back_all(connection, found.id)
        await imports.record_begin(connection, found.id, rule_id=rule_id)


async def _expected_tag(connection: Connection, found: Import, tag: FoundTag | None) -> ExpectedTag:
    """Return the state of the target's tag in which it may be written, and record it if it was looked up now."""
    written = await imports.digests_written(connection, found.image_id)
    if tag:
        replaces_foreign = tag.foreign(written) is not None
        await imports.record_tag_before(connection, found.id, tag.digest, replaces_foreign=replaces_foreign)
    return ExpectedTag(before=tag.digest if tag else found.tag_before, replaceable=written)


def _terms(permission: Allowed, account: Credential | None, tag: ExpectedTag) -> AttemptTerms:
    rule = permission.rule
    return AttemptTerms(
        credential=account,
        may_create_project=permission.may_create_project,
        tag=tag,
        limited=rule is not None and (rule.max_image_bytes, rule.max_bytes_per_month) != (None, None),
        max_image_bytes=rule.max_image_bytes if rule else None,
    )
