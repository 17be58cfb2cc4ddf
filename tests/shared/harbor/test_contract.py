"""Checks the client and the stand-in against Harbor's own API description, if the file is available.

Every exchange of every test in this folder is checked when its stand-in stops. The tests of this file cover all
operations, and test the check itself.
"""

import os
from collections.abc import Awaitable, Callable
from dataclasses import replace

import aiohttp
import pytest

from deploy.local.images.image import Image
from deploy.local.servers.harbor.server import immutable_rule
from deploy.local.servers.harbor.settings import Settings
from deploy.local.stack import Registry
from shared.errors.error import LongshoreError
from shared.harbor.client import Harbor
from shared.oci.digest import Digest
from tests.shared.harbor import swagger
from tests.shared.harbor.conftest import ADMIN, GUEST, MEMBER, PROJECT, USERS, Opener, StandIn, standing_in
from tests.shared.harbor.recorder import Exchange
from tests.shared.harbor.swagger import BESIDE, UNDESCRIBED, Description, description, location

# The client's requests, with the answers that it handles.
ASKED = {
    ("getHealth", 200),
    ("getStatistic", 200),
    ("getStatistic", 401),
    ("listProjects", 200),
    ("createProject", 201),
    ("createProject", 403),
    ("createProject", 409),
    ("getProject", 200),
    ("getProject", 403),
    ("getProject", 404),
    ("getProjectSummary", 200),
    ("getProjectSummary", 403),
    ("getProjectSummary", 404),
    ("listRepositories", 200),
    ("getArtifact", 200),
    ("getArtifact", 404),
    ("listTags", 200),
    ("listTags", 404),
    ("deleteTag", 200),
    ("deleteTag", 404),
    ("deleteTag", 412),
    ("deleteArtifact", 200),
    ("deleteArtifact", 403),
    ("deleteArtifact", 404),
    ("deleteArtifact", 412),
}
# Requests that set up a stand-in; a real Harbor has them as well.
SET_UP = {
    ("createTag", 201),
    ("createTag", 409),
    ("listArtifacts", 200),
    ("listArtifacts", 422),
    ("listQuotas", 200),
    ("listQuotas", 403),
    ("updateQuota", 200),
    ("updateQuota", 404),
    ("CreateImmuRule", 201),
    ("CreateImmuRule", 400),
    ("ListImmuRules", 200),
    ("DeleteImmuRule", 200),
    ("DeleteImmuRule", 404),
}


@pytest.fixture
def described() -> Description:
    """Harbor's API description; on the build server its absence is an error."""
    found = description()
    if found is None:
        reason = f"{location()} is not there; HARBOR_SWAGGER can name it"
        if os.environ.get("CI") == "true" and (BESIDE.is_dir() or "HARBOR_SWAGGER" in os.environ):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


async def refused(request: Awaitable[object]) -> None:
    with pytest.raises(LongshoreError):
        await request


def seen(described: Description, standin: StandIn) -> set[tuple[str, int]]:
    """Return the operations and statuses of all exchanges."""
    found = ((described.find(exchange), exchange.status) for exchange in standin.recorder.exchanges)
    return {(operation.name, status) for operation, status in found if operation}


async def test_the_client_and_its_answers_fit(
    described: Description, standin: StandIn, opened: Opener, image: Image
) -> None:
    """All requests of the client, with every answer that it handles."""
    digest, child = Digest.parse(image.digest), Digest.parse(image.children[0].digest)
    standin.state.create_project("secret")
    admin, guest, nobody = (
        await opened(standin.host),
        await opened(standin.host, GUEST),
        await opened(standin.host, None),
    )
    for name in ("a/b", "c"):
        await standin.push(f"{PROJECT}/{name}", "1.0", image)
    await asks_about_harbor(admin, nobody)
    await asks_for_projects(admin, guest)
    artifacts = admin.artifacts(PROJECT, "a/b")
    assert await artifacts.find("1.0")
    assert await artifacts.find("2.0") is None
    assert await artifacts.some_tags(digest) == frozenset({"1.0"})
    await refused(guest.artifacts(PROJECT, "a/b").delete(digest))
    await refused(artifacts.delete(child))
    await immutable(standin, admin.artifacts(PROJECT, "c").delete_tag, digest)
    assert await artifacts.delete_tag(digest, "1.0")
    assert not await artifacts.delete_tag(digest, "1.0")
    assert await artifacts.delete(digest)
    assert not await artifacts.delete(digest)
    assert await artifacts.some_tags(digest) is None
    elsewhere = {("createProject", 403), ("CreateImmuRule", 201)}
    assert seen(described, standin) | elsewhere == ASKED | elsewhere


async def asks_about_harbor(admin: Harbor, nobody: Harbor) -> None:
    await admin.health()
    await admin.statistics()
    await refused(nobody.statistics())
    await admin.count_artifacts()


async def asks_for_projects(admin: Harbor, guest: Harbor) -> None:
    assert not await admin.ensure_project(PROJECT)
    assert await admin.ensure_project("more")
    await refused(guest.ensure_project("secret"))
    await admin.projects.quota(PROJECT)
    await refused(admin.projects.quota("nothing"))
    await refused(guest.projects.quota("secret"))


async def immutable(standin: StandIn, delete: Callable[[Digest, str], Awaitable[bool]], digest: Digest) -> None:
    async with aiohttp.ClientSession(headers={"Authorization": ADMIN.basic()}) as http:
        rules = f"http://{standin.host}/api/v2.0/projects/{PROJECT}/immutabletagrules"
        async with http.post(rules, json=immutable_rule("c", "**")) as response:
            assert response.status == 201
    await refused(delete(digest, "1.0"))


async def test_a_refused_project_fits(described: Description, behind: Registry, opened: Opener) -> None:
    """The answer is 403, which the description omits."""
    async with standing_in(Settings(users=USERS, creation="adminonly"), behind.url) as standin:
        await refused((await opened(standin.host, MEMBER)).ensure_project("more"))
        assert ("createProject", 403) in seen(described, standin)


async def test_the_set_up_fits(described: Description, standin: StandIn, single: Image) -> None:
    """A test or a demo can send the same set-up requests to a real Harbor."""
    await standin.push(f"{PROJECT}/a/b", "1.0", single)
    artifact = f"/projects/{PROJECT}/repositories/a%252Fb/artifacts"
    rules = f"/projects/{PROJECT}/immutabletagrules"
    quota = standin.state.project(PROJECT).id
    async with aiohttp.ClientSession(f"http://{standin.host}", headers={"Authorization": ADMIN.basic()}) as http:

        async def ask(method: str, path: str, body: object = None, **more: str) -> int:
            async with http.request(method, f"/api/v2.0{path}", json=body, headers=more) as response:
                return response.status

        assert await ask("POST", f"{artifact}/1.0/tags", {"name": "2.0"}) == 201
        assert await ask("POST", f"{artifact}/1.0/tags", {"name": "2.0"}) == 409
        assert await ask("GET", f"{artifact}?page_size=1&with_tag=false") == 200
        assert await ask("GET", f"{artifact}?page_size=101") == 422
        assert await ask("GET", f"/quotas?reference=project&reference_id={quota}") == 200
        assert await ask("GET", "/quotas", Authorization=GUEST.basic()) == 403
        assert await ask("PUT", f"/quotas/{quota}", {"hard": {"storage": 5}}) == 200
        assert await ask("PUT", "/quotas/999", {"hard": {"storage": 5}}) == 404
        assert await ask("POST", rules, immutable_rule("**", "v*")) == 201
        assert await ask("POST", rules, {"tag_selectors": []}) == 400
        assert await ask("GET", rules) == 200
        number = next(iter(standin.state.project(PROJECT).rules))
        assert await ask("DELETE", f"{rules}/{number}") == 200
        assert await ask("DELETE", f"{rules}/{number}") == 404
    assert seen(described, standin) == SET_UP


GOOD = Exchange(
    method="GET",
    target="/api/v2.0/projects?page=1&page_size=100",
    sent={},
    body=b"",
    status=200,
    received={"content-type": "application/json; charset=utf-8", "x-total-count": "1"},
    answer=b'[{"project_id": 1, "name": "p", "creation_time": "2026-01-02T03:04:05.678Z"}]',
)
ONE = replace(GOOD, target="/api/v2.0/projects/p", sent={"x-is-resource-name": "true"}, answer=b'{"name": "p"}')
MADE = replace(
    GOOD,
    method="POST",
    target="/api/v2.0/projects",
    sent={"content-type": "application/json"},
    body=b'{"project_name": "p"}',
    status=201,
    received={},
    answer=b"",
)

NOWHERE = replace(GOOD, target="/api/v2.0/nothing", status=404)
# A bad request that is correctly refused is not a violation.
REFUSED = replace(GOOD, target="/api/v2.0/projects?page=one", status=422, answer=b'{"errors": [{"code": "X"}]}')


@pytest.mark.parametrize("exchange", [GOOD, ONE, MADE, NOWHERE, REFUSED])
def test_what_fits_is_let_through(described: Description, exchange: Exchange) -> None:
    assert described.complaints(exchange) == []


@pytest.mark.parametrize(
    ("exchange", "complaint"),
    [
        (replace(GOOD, target="/api/v2.0/nothing"), "no such operation"),
        (replace(GOOD, method="PATCH"), "no such operation"),
        (replace(GOOD, target="/api/v2.0/projects?page=one"), "page is not a integer"),
        (replace(GOOD, target="/api/v2.0/projects?page_size=101"), "page_size is not a integer"),
        (replace(GOOD, target="/api/v2.0/projects?size=1"), "size is not described"),
        (replace(GOOD, method="HEAD", answer=b"", target="/api/v2.0/projects"), "project_name is missing"),
        (replace(ONE, sent={"x-is-resource-name": "yes"}), "X-Is-Resource-Name is not a boolean".lower()),
        (replace(ONE, sent={"x-other": "yes"}), "x-other is not described"),
        (replace(GOOD, body=b"{}"), "the request has a body"),
        (replace(MADE, body=b"{}{"), "the request is not JSON"),
        (replace(MADE, body=b'{"name": "p"}'), "Additional properties"),
        (replace(MADE, body=b'{"project_name": 5}'), "5 is not of type"),
        (replace(MADE, sent={}), "the request is not called JSON"),
        (replace(GOOD, status=418), "the status is not described"),
        (replace(GOOD, received={"content-type": "application/json"}), "does not say how long it is"),
        (replace(GOOD, received={**GOOD.received, "x-total-count": "many"}), "X-Total-Count is not a integer"),
        (replace(GOOD, received={**GOOD.received, "content-type": "text/html"}), "not called JSON"),
        (replace(GOOD, answer=b"{}"), "is not of type"),
        (replace(GOOD, status=422, answer=b'{"error": "bad page"}'), "Additional properties"),
        (replace(GOOD, answer=b'[{"project": 1}]'), "Additional properties"),
        (replace(GOOD, answer=b'[{"project_id": "1"}]'), "is not of type"),
        (replace(GOOD, answer=b'[{"project_id": 3000000000}]'), "int32"),
        (replace(GOOD, answer=b'[{"creation_time": "yesterday"}]'), "date-time"),
        (replace(GOOD, answer=b'[{"creation_time": "2026-01-02T03:04:05"}]'), "date-time"),
        (replace(MADE, answer=b"{}"), "the answer has a body"),
    ],
)
def test_what_does_not_fit_is_found(described: Description, exchange: Exchange, complaint: str) -> None:
    """The check reports violations; otherwise its silence would prove nothing."""
    assert complaint in " ".join(described.complaints(exchange))


def test_what_the_description_leaves_out_is_really_not_there(described: Description) -> None:
    """An exception is removed from the list as soon as Harbor's description contains it."""
    for name, status in UNDESCRIBED:
        found = [operation for operation in described.operations if operation.name == name]
        assert len(found) == 1
        assert str(status) not in found[0].responses


def test_the_file_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARBOR_SWAGGER", "/nowhere/swagger.yaml")
    assert str(swagger.location()) == "/nowhere/swagger.yaml"
