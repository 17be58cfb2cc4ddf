"""How an attempt ends: ready, failed, retried later, parked by a rate limit, or handed back."""

import itertools
from dataclasses import replace

import pytest

from shared.messages.progress_report import ReportedState
from shared.model.progress import LayerProgress
from tests.api_service.api import Api
from tests.api_service.imports.reports import CONTENT, A, B, Worker, copying, outcome, start


async def test_ready_makes_the_image_ready(worker: Worker) -> None:
    await worker.send(layers={A: copying(800)})
    assert outcome(await worker.send(ReportedState.TAGGING)) == (200, "continue")
    assert (await worker.details())["message"] == "Everything is copied; the tag is being written."
    assert outcome(await worker.send(ReportedState.READY, content=CONTENT)) == (200, "stop")
    details, image = await worker.details(), await worker.image()
    assert (details["status"], details["state"], details["progress"]) == ("ready", "ready", 100)
    assert details["layersDetail"][A]["progress"] == 100
    assert (image["status"], image["digest"], image["size"], image["sourceDigest"]) == ("ready", B, 4711, A)
    assert (image["arch"], image["os"], image["includeType"]) == ("amd64", "linux", "full")
    assert image["platforms"] == ["linux/amd64", "linux/arm64"]
    assert image["description"] == "From the image's labels"


async def test_a_description_given_by_a_person_stays(api: Api, image_source: str) -> None:
    started = await api.start({"source": image_source, "description": "Mine"})
    claimed = await api.claim(started["name"])
    worker = Worker(api, started["name"], started["imageId"], claimed.attempt, itertools.count(1))
    await worker.send(ReportedState.READY, content=CONTENT)
    assert (await worker.image())["description"] == "Mine"


@pytest.mark.parametrize(
    ("given", "again", "shown"),
    [
        ({}, {}, "Of the newer image"),
        ({}, {"description": "Mine"}, "Mine"),
        ({"description": "Mine"}, {}, "Mine"),
        ({"description": "Mine"}, {"description": ""}, "Of the newer image"),
    ],
    ids=["never given", "given later", "given before", "given up"],
)
async def test_a_newer_image_brings_its_own_description_unless_one_was_given(
    api: Api, image_source: str, given: dict[str, str], again: dict[str, str], shown: str
) -> None:
    for more, own in ((given, "Of the image"), (again, "Of the newer image")):
        started = await api.start({"source": image_source, "force": True, **more})
        claimed = await api.claim(started["name"])
        worker = Worker(api, started["name"], started["imageId"], claimed.attempt, itertools.count(1))
        await worker.send(ReportedState.READY, content=replace(CONTENT, description=own))
    assert (await worker.image())["description"] == shown


async def test_the_report_that_ended_the_attempt_may_be_repeated(worker: Worker) -> None:
    """The answer may have been lost; the repetition is neither an error nor a second end."""
    ready = worker.make(ReportedState.READY, content=CONTENT)
    for _ in range(2):
        assert outcome(await worker.api.report(worker.name, ready)) == (200, "stop")


async def test_a_permanent_error_fails_the_import(worker: Worker, api: Api) -> None:
    """The details have the code, the side and the hint; the credentials are deleted."""
    await api.execute("UPDATE imports SET credentials = 'x'")
    await worker.send(layers={A: copying(10), B: LayerProgress(size=5)})
    assert outcome(await worker.fail("blob_digest_mismatch")) == (200, "stop")
    details = await worker.details()
    assert (details["status"], details["state"]) == ("failed", "failed")
    assert details["error"] == {
        "code": "blob_digest_mismatch",
        "side": "source",
        "retryable": False,
        "hint": "The source or a proxy alters content; the import published nothing.",
        "title": "A layer's bytes do not match its digest",
        "detail": "It was blob_digest_mismatch.",
    }
    assert [layer["status"] for layer in details["layersDetail"].values()] == ["failed", "pending"]
    assert (await worker.image())["status"] == "failed"
    assert await api.value("SELECT credentials FROM imports") is None


async def test_a_transient_error_is_tried_again_after_a_while(worker: Worker, api: Api) -> None:
    """The details show that the import waits; the outbox has a message with the same due time."""
    assert outcome(await worker.fail("source_unavailable")) == (200, "stop")
    details = await worker.details()
    assert (details["status"], details["state"], details["error"]["code"]) == (
        "importing",
        "waiting",
        "source_unavailable",
    )
    assert details["resumesAt"] in details["message"]
    same_time = """
        SELECT outbox.due_at = imports.due_at AND outbox.due_at - now() BETWEEN interval '7 s' AND interval '13 s'
        FROM outbox JOIN imports ON imports.id = import_id WHERE reason = 'retry'
    """
    assert await api.value(same_time)
    await worker.due_now()
    await worker.claim_again()
    details = await worker.details()
    assert (details["state"], details["attempt"], details["error"], details["resumesAt"]) == ("running", 2, None, None)


async def test_attempts_are_limited(worker: Worker) -> None:
    """These settings allow three failures: the third one ends the import, with its own error."""
    for _ in range(2):
        await worker.fail("target_unavailable")
        await worker.due_now()
        await worker.claim_again()
    assert outcome(await worker.fail("target_stalled")) == (200, "stop")
    details = await worker.details()
    assert (details["state"], details["attempt"], details["error"]["code"]) == ("failed", 3, "target_stalled")


async def test_a_rate_limit_parks_without_spending_attempts(worker: Worker, api: Api) -> None:
    """The import waits until the limit ends and a little longer, so that waiting imports are not retried together."""
    for _ in range(5):
        await worker.fail("source_rate_limited", retry_after=120)
        assert await api.value(
            "SELECT due_at BETWEEN now() + interval '115 s' AND now() + interval '132 s' FROM imports"
        )
        details = await worker.details()
        assert details["message"].startswith(f"Resumes at {details['resumesAt']}. The source registry's rate limit")
        await worker.due_now()
        await worker.claim_again()
    assert await api.value("SELECT failures FROM imports") == 0


async def test_a_handed_back_import_is_another_workers_at_once(worker: Worker, api: Api) -> None:
    assert outcome(await worker.send(ReportedState.HANDED_BACK)) == (200, "stop")
    assert (await worker.details())["state"] == "queued"
    assert await api.value("SELECT due_at <= now() FROM outbox WHERE reason = 'handed_back'")
    assert await api.value("SELECT failures FROM imports") == 0
    await worker.claim_again()


async def ready_then_forced(api: Api, image_source: str) -> Worker:
    first = await start(api, image_source)
    await first.send(ReportedState.READY, content=CONTENT)
    forced = await api.start({"source": image_source, "force": True})
    attempt = (await api.claim(forced["name"])).attempt
    return Worker(api, forced["name"], forced["imageId"], attempt, itertools.count(1))


async def test_a_failed_reimport_leaves_the_image_ready_while_its_tag_is_untouched(api: Api, image_source: str) -> None:
    worker = await ready_then_forced(api, image_source)
    await worker.fail("blob_not_found")
    assert (await worker.image())["status"] == "ready"
    assert (await worker.details())["status"] == "failed"


async def test_a_failed_reimport_that_may_have_moved_the_tag_fails_the_image(api: Api, image_source: str) -> None:
    """This also holds if a later attempt fails before it reaches the tag."""
    worker = await ready_then_forced(api, image_source)
    await worker.send(ReportedState.TAGGING)
    await worker.send(ReportedState.HANDED_BACK)
    await worker.claim_again()
    await worker.fail("blob_not_found")
    assert (await worker.image())["status"] == "failed"
