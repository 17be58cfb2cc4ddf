"""Digests and layers of images whose source needed an account: shown to those concerned, hidden from others."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

import pytest

from api_service.auth.token_lookup import KEPT_FOR
from api_service.images.visibility import without_digest, without_digests
from api_service.images.watched_import import POLL_INTERVAL
from api_service.rules.keys import RULE_BOOK
from api_service.rules.rule_book import RuleBook
from shared.errors.codes import Code
from shared.messages.progress_report import ProgressReport, ReportedError, ReportedState
from shared.model.image_content import ImageContent
from shared.model.progress import LayerProgress, LayerStatus, Transfer
from shared.model.roles import Role
from tests.api_service.api import BASE, Answer, Api
from tests.api_service.images.test_details import STREAM, Stream

D, LAYER, NEWER = ("sha256:" + 64 * digit for digit in "abc")
CONTENT = ImageContent(
    source_digest=D,
    digest=D,
    size=4711,
    architecture="amd64",
    os="linux",
    platforms=("linux/amd64",),
    include_type="full",
)
REPOSITORY, SOURCE = "teams/app", "registry.example.com/team/app"
# In this order, so that the column of the document's table is found by its number.
CALLERS = ("owner", "reached", "other", "admin")


@dataclass(frozen=True, kw_only=True)
class Place:
    """An API with one image that `owner` imported, and a token for each caller."""

    api: Api
    image_id: int
    tokens: dict[str, str]

    async def read(self, path: str, caller: str, **options: Any) -> Answer:
        path = path.format(id=self.image_id)
        return await self.api.call("GET", f"{BASE}{path}", role=None, token=self.tokens[caller], **options)


@pytest.fixture
async def place(api: Api) -> Place:
    return await prepare(api)


async def prepare(api: Api, *, with_account: bool = True) -> Place:
    """Import an image, and create a token for its owner, a user whose rule reaches it, another user, and an admin."""
    await api.execute("DELETE FROM import_rules")
    await add_rule(api, "of the team", "user:reached", f"{SOURCE}*", "teams/*")
    await add_rule(api, "of others", "user:other", "**", "others/**")
    image_id = await api.value(
        """
        INSERT INTO images (registry_host, repository, tag, status, source, created_by)
        VALUES ('harbor.example.com', $1, '1.0', 'importing', $2, 'owner') RETURNING id
        """,
        REPOSITORY,
        f"{SOURCE}:1.0@{D}",
    )
    await add_import(api, image_id, "app-1.0-bcdfghjkmn", with_account=with_account)
    await report(
        api, "app-1.0-bcdfghjkmn", ReportedState.READY, content=CONTENT, layers={LAYER: COMPLETED, D: COMPLETED}
    )
    tokens = {caller: await api.token(caller) for caller in CALLERS[:3]}
    return Place(api=api, image_id=image_id, tokens=tokens | {"admin": await api.token("root", Role.ADMIN)})


COMPLETED = LayerProgress(size=1000, offset=1000, status=LayerStatus.COMPLETED, transfer=Transfer.COPIED)


async def add_rule(api: Api, name: str, subject: str, source: str, target: str) -> None:
    await api.execute(
        "INSERT INTO import_rules (name, subjects, sources, targets, created_by) VALUES ($1, $2, $3, $4, 'root')",
        name,
        [subject],
        [source],
        [target],
    )
    api.client.app[RULE_BOOK].forget()


async def add_import(
    api: Api, image_id: int, name: str, *, with_account: bool, source: str = f"{SOURCE}:1.0@{D}"
) -> None:
    await api.execute(
        """
        INSERT INTO imports (name, image_id, state, source, requested_by, with_account)
        VALUES ($1, $2, 'queued', $3, 'owner', $4)
        """,
        name,
        image_id,
        source,
        with_account,
    )
    await api.claim(name)


async def report(api: Api, name: str, state: ReportedState, *, sequence: int = 1, **more: Any) -> None:
    answer = await api.report(name, ProgressReport(attempt=1, sequence=sequence, state=state, **more))
    assert answer.status == 200, answer


def shows(answer: Answer) -> bool:
    """Return whether the answer has any digest; its flag has to say the same."""
    text = json.dumps(answer.body)
    found = any(digest in text for digest in (D, LAYER, NEWER))
    assert f'"contentHidden": {json.dumps(not found)}' in text, text
    return found


READS = ("/images", "/images/{id}", "/images/{id}/importing-details")
SEES = {"owner": True, "reached": True, "other": False, "admin": True}


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("caller", CALLERS)
async def test_content_is_shown_to_those_concerned(place: Place, path: str, caller: str) -> None:
    answer = await place.read(path, caller)
    assert answer.status == 200
    assert shows(answer) == SEES[caller]


async def test_hidden_content_keeps_the_contracts_types(place: Place) -> None:
    (group,) = (await place.read("/images", "other")).body["images"]
    (artifact,) = group["artifacts"]
    assert (artifact["digest"], artifact["size"], artifact["source"]) == ("", 4711, f"{SOURCE}:1.0")
    image = (await place.read("/images/{id}", "other")).body
    assert (image["digest"], image["sourceDigest"], image["digestReference"]) == ("", None, None)
    assert image["reference"] == f"harbor.example.com/{REPOSITORY}:1.0"
    details = (await place.read("/images/{id}/importing-details", "other")).body
    assert (details["layersDetail"], details["state"], details["progress"]) == ({}, "ready", 100)


async def test_the_flat_list_has_no_content_for_any_caller(place: Place) -> None:
    for caller in CALLERS:
        body = (await place.read("/images?flat=true", caller)).body
        assert D not in json.dumps(body)
        assert body["totalCount"] == 1


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("path", READS)
async def test_content_of_a_public_source_is_shown_to_all(api: Api, caller: str, path: str) -> None:
    """Without an account, everyone could read it at its source."""
    place = await prepare(api, with_account=False)
    assert shows(await place.read(path, caller))


async def test_an_account_makes_an_import_private_and_its_image_once_it_is_ready(place: Place) -> None:
    """Another import without one makes the image public again."""
    api = place.api
    await add_import(api, place.image_id, "app-1.0-second", with_account=False)
    await report(api, "app-1.0-second", ReportedState.RUNNING, layers={NEWER: COMPLETED})
    assert shows(await place.read("/images/{id}/importing-details", "other"))
    assert not shows(await place.read("/images/{id}", "other"))
    await report(api, "app-1.0-second", ReportedState.READY, sequence=2, content=CONTENT)
    assert shows(await place.read("/images/{id}", "other"))


async def test_a_request_with_an_account_starts_a_private_import(
    api: Api, source_registry: Any, repository: str
) -> None:
    """The request's own account; `imports` notes that there was one before it forgets the account."""
    from deploy.local.stack import Remote, synthetic_image

    Remote.of(source_registry).push(repository, "1.0", synthetic_image(repository, [100]))
    credentials = {"username": source_registry.auth.username, "password": source_registry.auth.password}
    started = await api.start({"source": f"{source_registry.host}/{repository}:1.0", "credentials": credentials})
    assert await api.value("SELECT with_account FROM imports WHERE name = $1", started["name"])


async def test_an_import_without_an_account_is_public(api: Api, image_source: str) -> None:
    started = await api.start({"source": image_source})
    assert not await api.value("SELECT with_account FROM imports WHERE name = $1", started["name"])


async def test_a_failed_import_from_elsewhere_does_not_show_the_old_content(place: Place) -> None:
    """The digest came from the team's source; a rule for the new source says nothing about it."""
    api = place.api
    await add_rule(api, "elsewhere", "user:other", "elsewhere.example.com/**", "teams/**")
    await api.execute("UPDATE images SET source = 'elsewhere.example.com/app:1.0'")
    assert not shows(await place.read("/images/{id}", "other"))
    assert shows(await place.read("/images/{id}", "reached"))


async def test_the_owner_is_an_issuers_subject_and_not_a_name(place: Place) -> None:
    """A user of another issuer may have the owner's name for display."""
    await place.api.execute("UPDATE images SET owner_issuer = 'https://id.example.com', owner_subject = 'f1c5'")
    for path in READS:
        assert not shows(await place.read(path, "owner"))


async def test_a_rule_that_is_gone_hides_the_content_within_a_second(place: Place) -> None:
    assert shows(await place.read("/images", "reached"))
    await place.api.execute("DELETE FROM import_rules")
    await asyncio.sleep(KEPT_FOR)
    assert not shows(await place.read("/images", "reached"))


async def test_digests_in_a_failures_text_are_hidden(place: Place) -> None:
    api = place.api
    await add_import(api, place.image_id, "app-1.0-second", with_account=True)
    error = ReportedError(code=Code.BLOB_NOT_FOUND, detail=f"The source does not have {LAYER}.")
    await report(api, "app-1.0-second", ReportedState.FAILED, error=error)
    details = (await place.read("/images/{id}/importing-details", "other")).body
    assert LAYER not in json.dumps(details)
    assert details["error"]["detail"] == "The source does not have sha256:…."
    shown = (await place.read("/images/{id}/importing-details", "reached")).body
    assert LAYER in shown["message"]


async def test_a_stored_source_that_cannot_be_read_is_hidden(place: Place) -> None:
    await place.api.execute("UPDATE images SET digest_source = 'no reference'")
    assert not shows(await place.read("/images/{id}", "reached"))


@pytest.mark.parametrize("caller", CALLERS)
async def test_an_event_stream_shows_the_same(place: Place, caller: str) -> None:
    await add_import(place.api, place.image_id, "app-1.0-second", with_account=True)
    path = f"{BASE}/images/{place.image_id}/importing-details"
    headers = {**place.api.authorization(token=place.tokens[caller]), **STREAM}
    async with place.api.client.get(path, headers=headers) as response:
        stream = Stream(response)
        assert await stream.next()
        await report(place.api, "app-1.0-second", ReportedState.RUNNING, layers={NEWER: COMPLETED})
        event = await stream.next()
        assert event
        assert (NEWER in event.details["layersDetail"]) == SEES[caller]
        assert event.details["contentHidden"] == (not SEES[caller])


async def test_a_rule_that_is_gone_hides_the_next_event(place: Place) -> None:
    await add_import(place.api, place.image_id, "app-1.0-second", with_account=True)
    path = f"{BASE}/images/{place.image_id}/importing-details"
    headers = {**place.api.authorization(token=place.tokens["reached"]), **STREAM}
    async with place.api.client.get(path, headers=headers) as response:
        stream = Stream(response)
        first = await stream.next()
        assert first
        assert not first.details["contentHidden"]
        await place.api.execute("DELETE FROM import_rules")
        await asyncio.sleep(KEPT_FOR)
        await report(place.api, "app-1.0-second", ReportedState.RUNNING, layers={NEWER: COMPLETED})
        event = await stream.next()
        assert event
        assert (event.details["layersDetail"], event.details["contentHidden"]) == ({}, True)


@pytest.mark.parametrize("end", ["revoked_at = now()", "expires_at = now() - interval '1 second'"])
async def test_a_stream_ends_with_its_token(place: Place, end: str) -> None:
    """It would otherwise last as long as its import, hours after the token was revoked."""
    await add_import(place.api, place.image_id, "app-1.0-second", with_account=True)
    path = f"{BASE}/images/{place.image_id}/importing-details"
    headers = {**place.api.authorization(token=place.tokens["owner"]), **STREAM}
    async with place.api.client.get(path, headers=headers) as response:
        stream = Stream(response)
        assert await stream.next()
        await place.api.execute(f"UPDATE api_tokens SET {end} WHERE user_name = 'owner'")
        ended = time.monotonic()
        await asyncio.sleep(KEPT_FOR)
        await report(place.api, "app-1.0-second", ReportedState.RUNNING, layers={NEWER: COMPLETED})
        assert await stream.next() is None
        # A poll, the cache of tokens, and a busy machine.
        assert time.monotonic() - ended < POLL_INTERVAL + KEPT_FOR + 10


async def test_details_are_refused_after_the_token_is_revoked(place: Place) -> None:
    assert (await place.read("/images/{id}/importing-details", "owner")).status == 200
    await place.api.execute("UPDATE api_tokens SET revoked_at = now() WHERE user_name = 'owner'")
    await asyncio.sleep(KEPT_FOR)
    for path in READS:
        assert (await place.read(path, "owner")).status == 401


async def test_head_shows_no_more_than_get(place: Place) -> None:
    """The length of an answer without content does not depend on the content."""
    for path in READS:
        url = f"{BASE}{path.format(id=place.image_id)}"
        lengths = []
        for digest in (D, NEWER + "00"):
            await place.api.execute("UPDATE images SET digest = $1", digest)
            answer = await place.api.call("HEAD", url, role=None, token=place.tokens["other"])
            assert answer.status == 200
            lengths.append(answer.headers["Content-Length"])
            await place.api.execute("UPDATE images SET digest = $1", D)
        assert lengths[0] == lengths[1]


async def test_a_list_reads_the_rules_only_for_private_images_of_others(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages without one are as fast as before; others need one look at the rules, however many images they have."""
    looks = 0
    current = RuleBook.current

    async def counting(book: RuleBook) -> Any:
        nonlocal looks
        looks += 1
        return await current(book)

    monkeypatch.setattr(RuleBook, "current", counting)
    await place.api.execute(
        """
        INSERT INTO images (registry_host, repository, tag, status, source, created_by, source_private, digest)
        SELECT 'harbor.example.com', 'teams/app' || n, '1.0', 'ready', 'registry.example.com/team/app:' || n, 'owner',
               true, $1
        FROM generate_series(1, 100) AS n
        """,
        D,
    )
    for caller, expected in (("owner", 0), ("admin", 0), ("reached", 1), ("other", 2)):
        answer = await place.read("/images?page_size=200", caller)
        assert looks == expected
        assert (json.dumps(answer.body).count('"contentHidden": true') == 101) == (caller == "other")
    await place.api.execute("UPDATE images SET source_private = false")
    await place.read("/images", "other")
    assert looks == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"There is no {D}.", "There is no sha256:…."),
        ("sha512:" + 128 * "0", "sha256:…"),
        (f"{D} and {LAYER}", "sha256:… and sha256:…"),
        ("nothing of it", "nothing of it"),
    ],
)
def test_a_sentence_without_its_digests(text: str, shown: str) -> None:
    assert without_digests(text) == shown


def test_a_reference_without_its_digest() -> None:
    assert without_digest(f"{SOURCE}:1.0@{D}") == f"{SOURCE}:1.0"
    assert without_digest(f"{SOURCE}:1.0") == f"{SOURCE}:1.0"
