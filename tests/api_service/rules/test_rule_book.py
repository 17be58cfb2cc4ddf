"""The lookup of the rules: one query for a burst, and no stale rule for more than a moment."""

import asyncio

import pytest

from api_service.rules import rule_book
from api_service.rules.rule_book import RuleBook
from shared.db.access import import_rules
from shared.db.access.import_rules import StoredRule
from shared.db.database import Connection, Database
from shared.model.import_rule import RuleValues

VALUES = RuleValues(name="team-a", subjects=("group:a",), sources=("quay.io/**",), targets=("a/**",), max_image_bytes=5)


class Counted:
    """The queries for the rules."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.queries = 0
        self._really = import_rules.list_rules
        monkeypatch.setattr(import_rules, "list_rules", self._list)

    async def _list(self, connection: Connection) -> list[StoredRule]:
        self.queries += 1
        return await self._really(connection)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


async def add(database: Database) -> int:
    async with database.connection() as connection:
        return (await import_rules.insert_rule(connection, VALUES, user="root")).rule.id


async def test_a_burst_shares_one_query(database: Database, counted: Counted) -> None:
    book = RuleBook(database)
    found = await asyncio.gather(*(book.current() for _ in range(50)))
    assert (counted.queries, {len(rules) for rules in found}) == (1, {1})


async def test_rules_come_by_id_and_whole(database: Database) -> None:
    added = await add(database)
    newest = (await RuleBook(database).current())[-1]
    assert (newest.id, newest.name, newest.subjects, newest.max_image_bytes) == (added, "team-a", ("group:a",), 5)
    assert (newest.sources, newest.targets, newest.max_open_imports) == (("quay.io/**",), ("a/**",), None)


async def test_another_instances_change_is_seen_after_a_moment(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_book, "KEPT_FOR", 0.2)
    book = RuleBook(database)
    assert len(await book.current()) == 1
    await add(database)
    assert len(await book.current()) == 1
    await asyncio.sleep(0.3)
    assert len(await book.current()) == 2


async def test_the_own_change_is_seen_at_once(database: Database) -> None:
    book = RuleBook(database)
    await book.current()
    await add(database)
    book.forget()
    assert len(await book.current()) == 2


async def test_a_query_that_began_before_a_change_is_not_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    book, really, began, go_on = RuleBook(database), import_rules.list_rules, asyncio.Event(), asyncio.Event()

    async def slow(connection: Connection) -> list[StoredRule]:
        found = await really(connection)
        began.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(import_rules, "list_rules", slow)
    stale = asyncio.create_task(book.current())
    await began.wait()
    await add(database)
    book.forget()
    go_on.set()
    assert len(await stale) == 1
    assert len(await book.current()) == 2
