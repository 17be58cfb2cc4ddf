"""Holds an import for a worker's request, which has to come from the attempt that holds it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from shared.db import imports, outbox
from shared.db.access import import_rules, rule_usage
from shared.db.database import Connection, Database
from shared.db.imports import Import
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.claim import OfClaim, same_claim
from shared.model.import_rule import ImportRule
from shared.model.states import ImportState


async def read_import(database: Database, name: str) -> Import:
    """Return the import with this name, without locking it; raises `import_not_found`."""
    async with database.connection() as connection:
        return _known(await imports.get_import(connection, name), name)


async def lock_named(connection: Connection, name: str) -> Import:
    """Return the import with this name, locked; raises `import_not_found`."""
    return _known(await imports.lock_import(connection, name), name)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldImport:
    """An import that this transaction has locked, and all rules of this moment."""

    connection: Connection
    found: Import
    rules: Sequence[ImportRule]


@asynccontextmanager
async def held_with_rules(database: Database, known: Import) -> AsyncIterator[HeldImport]:
    """Lock an import in a transaction in which it may go on by another rule.

    If another rule limits open imports, the requester's usage is locked first, so that imports that move to that rule
    at once do not exceed its limit.
    """
    async with database.transaction() as connection:
        rules = [stored.rule for stored in await import_rules.list_rules(connection)]
        if any(rule.max_open_imports is not None for rule in rules if rule.id != known.rule_id):
            await rule_usage.lock_usage(connection, known.requester.owner)
        yield HeldImport(connection=connection, found=await lock_named(connection, known.name), rules=rules)


def check_claim(found: Import, sender: OfClaim) -> None:
    """Raise `import_superseded` unless this claim holds the import."""
    if found.state is not ImportState.RUNNING:
        raise LongshoreError(Code.IMPORT_SUPERSEDED, f"The import {found.name} is {found.state.value}, not running.")
    if sender.attempt != found.attempt:
        raise LongshoreError(
            Code.IMPORT_SUPERSEDED, f"The import {found.name} is at attempt {found.attempt}, not {sender.attempt}."
        )
    if not same_claim(found, sender):
        raise LongshoreError(
            Code.IMPORT_SUPERSEDED, f"Another claim than this one holds attempt {found.attempt} of {found.name}."
        )


def has_ended(found: Import, sender: OfClaim) -> bool:
    """Return whether this claim's attempt began and has ended since: the request repeats one whose answer was lost."""
    return found.state is not ImportState.RUNNING and same_claim(found, sender) and found.begun


@asynccontextmanager
async def excusing_lost_lease(database: Database, name: str) -> AsyncIterator[None]:
    """Note on `import_superseded` that the worker was not lost with the import: it was cut off from the API."""
    try:
        yield
    except LongshoreError as error:
        if error.code == Code.IMPORT_SUPERSEDED:
            async with database.connection() as connection:
                await outbox.excuse_lost_lease(connection, name)
        raise


def _known(found: Import | None, name: str) -> Import:
    if found is None:
        raise LongshoreError(Code.IMPORT_NOT_FOUND, f"There is no import {name}.")
    return found
