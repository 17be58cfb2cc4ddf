"""Claims that have one attempt: a failover of the database lost the first of them.

A claim of the last release has no token, nor have the requests of its worker.
"""

from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.model.roles import Role
from tests.api_service.api import BASE, Answer, Api
from tests.api_service.imports.reports import Worker, start

# A standby takes over that has not received the claim's commit; the target's tag need not be looked up.
FAILOVER = """
UPDATE imports SET state = 'queued', attempt = attempt - 1, claim_token = NULL, lease_until = NULL, lease_owner = NULL,
                   begun_attempt = NULL, tag_before = ''
"""
# The statement of the last release's workers.
CLAIM_OF_LAST_RELEASE = """
UPDATE imports SET state = 'running', attempt = attempt + 1, sequence = 0, lease_owner = 'old',
                   lease_until = now() + interval '30 seconds', begun_attempt = attempt + 1
WHERE state IN ('queued', 'waiting')
"""
REQUESTS: dict[str, dict[str, Any]] = {
    "begin": {},
    "admit": {"bytes": 1},
    "progress": {"state": "running", "sequence": 1},
    "tagging": {"state": "tagging", "sequence": 1},
    "hand back": {"state": "handed_back", "sequence": 9},
}


async def ask(worker: Worker, request: str, token: UUID | None, *, attempt: int = 1) -> Answer:
    """Send a request of the claim with this token, as a worker of the last release does where it is None."""
    body = {"version": 1, "attempt": attempt, **REQUESTS[request]} | ({"claimToken": str(token)} if token else {})
    path = f"{BASE}/images:import/{worker.name}/"
    if "state" in body:
        return await worker.api.call("PUT", path + "progress", json=body, role=Role.WORKER)
    return await worker.api.call("POST", path + request, json=body, role=Role.WORKER)


@pytest.fixture
async def worker(api: Api, image_source: str) -> Worker:
    """The worker of the first claim, and the import's only one until a failover."""
    return await start(api, image_source)


@pytest.fixture
def token(api: Api, worker: Worker) -> UUID:
    """The token of the first claim."""
    found = api.claim_tokens[worker.name, 1]
    assert found
    return found


async def fail_over(worker: Worker) -> UUID:
    """Lose the claim, claim again, and return the new claim's token."""
    await worker.api.execute(FAILOVER)
    await worker.claim_again()
    assert worker.attempt == 1
    found = worker.api.claim_tokens[worker.name, 1]
    assert found
    return found


@pytest.mark.parametrize("request_name", REQUESTS)
async def test_a_claim_that_the_database_lost_is_refused(worker: Worker, token: UUID, request_name: str) -> None:
    """Although its attempt is the running one; the claim that has the import goes on."""
    newest = await fail_over(worker)
    refused = await ask(worker, request_name, token)
    assert (refused.status, refused.code) == (409, "import_superseded")
    assert await worker.api.value("SELECT state || ' ' || sequence FROM imports") == "running 0"
    assert (await ask(worker, request_name, newest)).status == 200


@pytest.mark.parametrize("lost", [None, uuid4()], ids=["none", "another"])
async def test_a_request_without_the_claims_token_is_refused(worker: Worker, lost: UUID | None) -> None:
    """A worker of the last release cannot hold an import that one of this release has claimed."""
    assert (await ask(worker, "progress", lost)).code == "import_superseded"


async def test_a_late_report_of_a_lost_claim_is_no_repetition(worker: Worker, token: UUID) -> None:
    """Its sequence number is below the newest one; the answer to a repetition would have it go on."""
    newest = await fail_over(worker)
    for sequence in (1, 2):
        worker.sequence = iter([sequence])
        assert (await worker.send()).status == 200
    assert (await ask(worker, "progress", token)).code == "import_superseded"
    assert (await ask(worker, "progress", newest)).body == {"action": "continue"}


async def test_the_end_of_an_attempt_is_not_that_of_a_lost_claim(worker: Worker, token: UUID) -> None:
    """Its worker stops in both cases; only the claim that ended the attempt repeats a request."""
    newest = await fail_over(worker)
    assert (await ask(worker, "hand back", newest)).status == 200
    assert (await ask(worker, "begin", newest)).body == {"action": "stop"}
    assert (await ask(worker, "begin", token)).code == "import_superseded"


async def test_workers_of_the_last_release_go_on(worker: Worker, token: UUID) -> None:
    """Their claims remove the token of the claim before, and they send none."""
    assert (await ask(worker, "hand back", token)).status == 200
    await worker.api.execute(CLAIM_OF_LAST_RELEASE)
    assert await worker.api.value("SELECT claim_token FROM imports") is None
    assert (await ask(worker, "progress", token, attempt=2)).code == "import_superseded"
    assert (await ask(worker, "progress", None, attempt=2)).body == {"action": "continue"}
    assert (await ask(worker, "hand back", None, attempt=2)).status == 200
    await worker.claim_again()
    assert (await worker.send()).status == 200


async def test_a_token_that_is_none_is_refused(worker: Worker) -> None:
    body = {"version": 1, "attempt": 1, "claimToken": "none", **REQUESTS["progress"]}
    path = f"{BASE}/images:import/{worker.name}/progress"
    answer = await worker.api.call("PUT", path, json=body, role=Role.WORKER)
    assert (answer.status, answer.code) == (400, "validation_failed")
