"""The record of sendings of tags whose end is not known, in PostgreSQL under the workers' role."""

from typing import Any

import pytest

from import_worker.reporter import SupersededError
from shared.oci.digest import Digest
from tests.import_worker.adapters.claims import Imports

OURS, SUBJECT = Digest.of(b"ours"), Digest.of(b"subject")
EXPIRE = "UPDATE imports SET state = 'queued', lease_owner = NULL, lease_until = NULL WHERE id = $1"


async def rows(claims: Imports) -> list[dict[str, Any]]:
    async with claims.database.connection() as connection:
        found = await connection.fetch("SELECT repository, tag, digest, subject, looks FROM tag_writes ORDER BY id")
    return [dict(row) for row in found]


@pytest.fixture
async def queued(claims: Imports) -> str:
    """An import that may be claimed."""
    await claims.claimed("app")
    await claims.run(EXPIRE, "app")
    return "app"


async def test_a_sending_is_recorded_before_it_takes_place_and_until_it_is_answered(
    claims: Imports, queued: str
) -> None:
    tags = await claims.claim_tags(queued)
    end = await tags.begin_write("app", OURS)
    recorded = {"repository": "team/app", "tag": "app", "digest": str(OURS), "subject": None, "looks": 0}
    assert await rows(claims) == [recorded]
    await end()
    assert await rows(claims) == []


async def test_each_sending_has_a_record_of_its_own(claims: Imports, queued: str) -> None:
    """The answer to the second one says nothing about the first."""
    tags = await claims.claim_tags(queued)
    await tags.begin_write("app", OURS, subject=SUBJECT)
    await (await tags.begin_write("app", OURS, subject=SUBJECT))()
    assert [row["subject"] for row in await rows(claims)] == [str(SUBJECT)]


async def test_an_attempt_that_lost_its_import_sends_nothing(claims: Imports, queued: str) -> None:
    """Another attempt, another claim of the same number, and an import that has ended."""
    tags = await claims.claim_tags(queued)
    await claims.run("UPDATE imports SET claim_token = gen_random_uuid() WHERE id = $1", queued)
    with pytest.raises(SupersededError):
        await tags.begin_write("app", OURS)
    await claims.run(EXPIRE, queued)
    with pytest.raises(SupersededError):
        await tags.begin_write("app", OURS)
    await claims.claim_tags(queued)
    with pytest.raises(SupersededError):
        await tags.begin_write("app", OURS)
    assert await rows(claims) == []


async def test_an_answer_after_the_import_was_lost_leaves_the_record(claims: Imports, queued: str) -> None:
    """The worker was stopped before the sending: the target has carried it out late, and is looked at from now on."""
    tags = await claims.claim_tags(queued)
    end = await tags.begin_write("app", OURS)
    await claims.run("UPDATE tag_writes SET begun_at = begun_at - interval '4 minutes', looks = 2 WHERE $1 > 0", "app")
    await claims.run(EXPIRE, queued)
    await end()
    assert [row["looks"] for row in await rows(claims)] == [0]
    await claims.run("DELETE FROM tag_writes WHERE $1 > 0", "app")
    await end()
    assert [(row["repository"], row["digest"]) for row in await rows(claims)] == [("team/app", str(OURS))]


async def test_the_newest_digest_that_was_seen_is_confirmed(claims: Imports, queued: str) -> None:
    """A digest that no import wrote is another client's."""
    tags = await claims.claim_tags(queued)
    await tags.record_tag("sha256-1.sig", OURS)
    for digest in (SUBJECT, OURS):
        await tags.confirm_tag("sha256-1.sig", digest)
    async with claims.database.connection() as connection:
        found = await connection.fetch("SELECT digest FROM companion_tags WHERE confirmed_at IS NOT NULL")
    assert [row["digest"] for row in found] == [str(OURS)]
