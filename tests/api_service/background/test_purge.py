"""Old rows are deleted in batches, each its own transaction."""

import pytest

from api_service.background import purge
from api_service.background.purge import LEADER_LOCK, Purger
from shared.db.database import try_lead
from tests.api_service.api import Api
from tests.api_service.guard import AT_MOST, at_most_a_batch

OUTBOX = """
INSERT INTO outbox (import_id, reason, published_at)
SELECT id, 'x', now() - $1 * interval '1 hour' FROM imports, generate_series(1, $2::int)
"""
AUDIT = """
INSERT INTO audit_events (operation, status, at)
SELECT 'x', 200, now() - $1 * interval '1 day' FROM generate_series(1, $2::int)
"""
IMAGES = """
INSERT INTO images (registry_host, repository, tag, status, source, created_by)
SELECT 'h', 'r/r', 'tag-' || n, 'failed', 's', 'ada' FROM generate_series(1, $1::int) AS n
"""


@pytest.fixture
def purger(api: Api, monkeypatch: pytest.MonkeyPatch) -> Purger:
    monkeypatch.setattr(purge, "BATCH", AT_MOST)
    return Purger(api.database, audit_days=10)


@pytest.fixture
async def old(api: Api, image_source: str) -> None:
    """Eight old rows and a new one, of the outbox and of the audit log."""
    await api.start({"source": image_source})
    await api.execute("DELETE FROM outbox")
    await api.execute("DELETE FROM audit_events")
    for sql, age in ((OUTBOX, 25), (AUDIT, 11)):
        await api.execute(sql, age, 8)
        await api.execute(sql, age - 2, 1)


async def left(api: Api) -> tuple[int, int]:
    """Return the number of rows in the outbox and in the audit log."""
    return await api.value("SELECT count(*) FROM outbox"), await api.value("SELECT count(*) FROM audit_events")


@pytest.mark.usefixtures("old")
async def test_old_rows_are_deleted_in_batches(api: Api, purger: Purger) -> None:
    """No statement comes near its time limit, however many rows are old."""
    async with at_most_a_batch(api.database, "outbox"), at_most_a_batch(api.database, "audit_events"):
        await purger.purge()
    assert await left(api) == (1, 1)


@pytest.mark.usefixtures("old")
async def test_a_round_ends_before_everything_is_deleted(
    api: Api, purger: Purger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each job has its turn; the next round goes on."""
    monkeypatch.setattr(purge, "BATCHES", 2)
    await purger.purge()
    assert await left(api) == (9 - 2 * AT_MOST, 9 - 2 * AT_MOST)
    await purger.purge()
    assert await left(api) == (1, 1)


@pytest.mark.usefixtures("old")
async def test_a_job_that_fails_holds_up_no_other(api: Api, purger: Purger) -> None:
    """The outbox is locked for longer than a statement waits."""
    async with api.database.transaction() as connection:
        await connection.execute("LOCK outbox IN SHARE ROW EXCLUSIVE MODE")
        await purger.purge()
        assert await left(api) == (9, 1)
    await purger.purge()
    assert await left(api) == (1, 1)


@pytest.mark.usefixtures("old")
async def test_one_instance_purges_at_a_time(api: Api, purger: Purger) -> None:
    async with api.database.transaction() as connection:
        assert await try_lead(connection, LEADER_LOCK)
        await purger.purge()
        assert await left(api) == (9, 9)
    await purger.purge()
    assert await left(api) == (1, 1)


async def test_numbers_of_images_are_added_up_in_batches(api: Api, purger: Purger) -> None:
    """Many images may have come since the last round. The sums so far are replaced with each batch, too."""
    await api.execute(IMAGES, 10)
    async with (
        at_most_a_batch(api.database, "image_counts"),
        at_most_a_batch(api.database, "image_periods", most=2 * AT_MOST),
    ):
        for _ in range(3):
            await purger.purge()
    for table in ("image_counts", "image_periods"):
        rows = await api.value(f"SELECT array_agg(images ORDER BY created_by) FROM {table}")
        assert rows == [10, 10]
