"""Lists of many images: every query plan returns the list that the rules describe."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from benchmarks.api.fill import ROBOT, fill
from deploy.local.stack import Postgres
from shared.db.database import Database, open_database
from shared.db.image_list import statement as list_statement
from shared.db.image_list.page import SORT_COLUMNS, ImageFilter, ImagePage, Order
from shared.db.image_list.rows import BriefImage, ListedImage, list_images
from tests.conftest import TEMPLATE

NAME = "list_scale"
IMAGES = 3_000
# One image every 90 seconds.
IMAGES_OF_DAY = 960
QUESTIONS = 100
PARTS = (None, "", "e", "1.2", "-0", "SEARCH", "docker.io/payments-000/", "_", "%", "s:v", "nothing-has-this")
# Searches that use the number in the text.
NUMBERED = ("-BUILD31", "0-build3", "7-build_1")
USERS = (None, ROBOT, "user-7", "nobody")


@dataclass(frozen=True, kw_only=True)
class Row:
    """The fields of an image that lists use."""

    id: int
    repository: str
    tag: str
    status: str
    size: int
    created_at: datetime
    created_by: str

    def matches(self, matching: ImageFilter) -> bool:
        by_name = matching.tag is None or matching.tag.lower() in f"{self.repository}:{self.tag}".lower()
        by_user = matching.user_name in (None, self.created_by)
        return by_name and by_user and matching.ready in (None, self.status == "ready")


@pytest.fixture(scope="module")
def filled_url(postgres: Postgres) -> Iterator[str]:
    """A database with the benchmark's images; no test changes them."""
    url = postgres.create_database(NAME, template=TEMPLATE)
    # In another thread: the test's own event loop may run in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, fill(url, IMAGES)).result()
    yield url
    postgres.drop_database(NAME)


@pytest.fixture
async def filled(filled_url: str) -> AsyncIterator[Database]:
    async with open_database(filled_url, application="test", size=2) as database:
        yield database


@pytest.fixture
async def rows(filled: Database) -> list[Row]:
    """All images."""
    async with filled.connection() as connection:
        found = await connection.fetch("SELECT id, repository, tag, status, size, created_at, created_by FROM images")
    return [Row(**dict(row)) for row in found]


def expected(rows: list[Row], matching: ImageFilter, page: ImagePage) -> tuple[int, list[int]]:
    """Return the expected answer: the number of all matches, and the ids of the page."""
    found = [row for row in rows if row.matches(matching)]
    found.sort(key=lambda row: (getattr(row, page.column), row.id), reverse=page.order == "desc")
    return len(found), [row.id for row in found[page.offset : page.offset + page.size]]


def question(dice: random.Random) -> tuple[ImageFilter, ImagePage]:
    """Return a random query; its page is often the first, sometimes among the last or beyond them."""
    orders: tuple[Order, ...] = ("asc", "desc")
    size = dice.choice((1, 10, 200))
    number = dice.choice((0, 0, 1, dice.randrange(IMAGES // size + 2), IMAGES // size - 1, 10**12))
    matching = ImageFilter(
        tag=dice.choice((*PARTS, *NUMBERED)), ready=dice.choice((None, True, False)), user_name=dice.choice(USERS)
    )
    page = ImagePage(number=number, size=size, order_by=dice.choice(list(SORT_COLUMNS)), order=dice.choice(orders))
    return matching, page


@pytest.mark.parametrize("kind", [BriefImage, ListedImage])
@pytest.mark.parametrize("collected", [0, 20, 50_000])
async def test_any_filter_order_and_page_gives_the_images_that_the_rules_name(
    filled: Database, rows: list[Row], monkeypatch: pytest.MonkeyPatch, collected: int, kind: type[Any]
) -> None:
    """A small result is collected and sorted, a large one is cut from an index, from either end.

    The result is the same if few or many images contain the number by which a text search selects its candidates.
    """
    monkeypatch.setattr(list_statement, "COLLECTED_OF_USER", collected)
    monkeypatch.setattr(list_statement, "COLLECTED_BY_NAME", collected)
    monkeypatch.setattr(list_statement, "CANDIDATES", collected)
    dice = random.Random(collected)
    async with filled.connection() as connection:
        for matching, page in (question(dice) for _ in range(QUESTIONS)):
            found = await list_images(connection, kind, matching, page)
            answer = found.total, [image.id for image in found.images]
            assert answer == expected(rows, matching, page), (matching, page)


def scanned(plan: dict[str, Any]) -> int:
    """Return how many rows of `images` an executed plan has read."""
    own = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) if plan.get("Relation Name") == "images" else 0
    return int(own * plan["Actual Loops"]) + sum(map(scanned, plan.get("Plans", ())))


async def came_past(database: Database, matching: ImageFilter, page: ImagePage) -> int:
    """Run a list's statement and return how many rows of `images` it has read."""
    statement = list_statement.list_statement("id", matching, page)
    async with database.connection() as connection:
        # Use the indexes as with a million images: PostgreSQL would read so few rows sequentially.
        await connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        text = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.text}", *statement.values)
        await connection.execute("RESET ALL")
    return scanned(json.loads(text)[0]["Plan"])


@pytest.mark.parametrize("matching", [ImageFilter(), ImageFilter(user_name=ROBOT), ImageFilter(ready=True)])
@pytest.mark.parametrize("order_by", ["createdTime", "repo", "size", "userName", "status"])
async def test_a_page_beyond_the_end_looks_at_no_image(filled: Database, matching: ImageFilter, order_by: str) -> None:
    assert await came_past(filled, matching, ImagePage(number=IMAGES, size=10, order_by=order_by, order="desc")) == 0


@pytest.mark.parametrize("order_by", ["repo", "size", "userName", "status", "tag", "id"])
async def test_the_last_page_is_cut_from_the_near_end(filled: Database, order_by: str) -> None:
    """The query does not read all images before the page: twice the page's size, from the index and from the table."""
    last = ImagePage(number=IMAGES // 10 - 1, size=10, order_by=order_by, order="asc")
    assert await came_past(filled, ImageFilter(), last) <= 2 * last.size
    middle = ImagePage(number=IMAGES // 20 - 1, size=10, order_by=order_by, order="asc")
    assert await came_past(filled, ImageFilter(), middle) > IMAGES // 2 - 10


@pytest.mark.parametrize("matching", [ImageFilter(), ImageFilter(ready=True), ImageFilter(ready=False)])
@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("number", [IMAGES // 20, IMAGES // 10 - 1])
async def test_a_page_in_the_order_of_creation_begins_at_its_day(
    filled: Database, matching: ImageFilter, order: Order, number: int
) -> None:
    """The query does not read images of other days, however deep the page is."""
    page = ImagePage(number=number, size=10, order_by="createdTime", order=order)
    assert await came_past(filled, matching, page) <= IMAGES_OF_DAY + 2 * page.size


async def test_a_list_and_its_number_are_of_one_moment(filled: Database) -> None:
    """The page's own statement counts the images, also if the page is empty."""
    beyond = ImagePage(number=10**12, size=10, order_by="createdTime", order="desc")
    async with filled.connection() as connection:
        found = await list_images(connection, BriefImage, ImageFilter(), beyond)
    assert (found.total, found.images) == (IMAGES, [])
