"""The transitions between an import's states, in the code and in PostgreSQL."""

import itertools

import asyncpg
import pytest

from shared.model.states import TRANSITIONS, ImportState
from tests.api_service.api import Api


async def test_the_tables_in_code_and_database_are_equal(api: Api) -> None:
    async with api.database.connection() as connection:
        rows = await connection.fetch("SELECT old_state, new_state FROM import_transitions")
        states = await connection.fetch("SELECT state FROM import_states")
    assert {state["state"] for state in states} == set(ImportState)
    pairs = {(old, new) for old, following in TRANSITIONS.items() for new in following}
    assert {(row["old_state"], row["new_state"]) for row in rows} == pairs


async def test_postgresql_enforces_the_table(api: Api, image_source: str) -> None:
    """PostgreSQL rejects a forbidden transition, whichever statement makes it."""
    await api.start({"source": image_source})
    for old, new in itertools.permutations(ImportState, 2):
        allowed = await change(api, old, new)
        assert allowed == (new in TRANSITIONS[old]), (old, new)


async def change(api: Api, old: ImportState, new: ImportState) -> bool:
    """Try to change the state with an UPDATE; return whether the trigger allowed it."""
    lease = "lease_until = CASE WHEN $1 = 'running' THEN now() END, error_code = 'worker_lost'"
    await api.execute("ALTER TABLE imports DISABLE TRIGGER imports_transition")
    await api.execute(f"UPDATE imports SET state = $1, {lease}", old)
    await api.execute("ALTER TABLE imports ENABLE TRIGGER imports_transition")
    try:
        await api.execute(f"UPDATE imports SET state = $1, {lease}", new)
    except asyncpg.CheckViolationError as error:
        assert error.constraint_name == "imports_transition"  # noqa: PT017 - both outcomes are expected
        return False
    return True


async def test_an_image_has_one_open_import_at_most(api: Api, image_source: str) -> None:
    await api.start({"source": image_source})
    with pytest.raises(asyncpg.UniqueViolationError):
        await api.execute(
            """
            INSERT INTO imports (name, image_id, state, source, requested_by)
            SELECT 'second', image_id, 'queued', source, requested_by FROM imports
            """
        )
