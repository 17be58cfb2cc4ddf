"""The last release with the newest schema: during an upgrade both versions run on one database."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import pytest

from deploy.local.stack import Api, Worker, synthetic_image, worker_settings
from tests.system.conftest import Product, wait_until
from tests.system.released import NoHistoryError, Release, ReleasedApi, last_release

pytestmark = pytest.mark.xdist_group("system")

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def release(product: Product) -> Release:
    try:
        return last_release(product.stack.scratch.make_folder("release"))
    except NoHistoryError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def released_api(product: Product, release: Release) -> Iterator[ReleasedApi]:
    """The release's API next to this tree's, on the same database, broker and target."""
    settings = product.stack.api.settings | release.settings
    with ReleasedApi(product.stack.scratch, settings, name="released-api") as api:
        yield api


@contextmanager
def worker_for(product: Product, api: Api, release: Release | None = None) -> Iterator[Worker]:
    """Run one worker of this tree or of the release, which reports to this API."""
    settings = worker_settings(product.stack.api.settings)
    if release:
        # The release's workers hold the keys, and the database's owner is their role, too.
        of_both = {name: product.stack.api.settings[name] for name in ("DATABASE_URL", "SECRET_KEYS")}
        settings |= of_both | release.settings
    name = f"upgrade-{secrets.token_hex(4)}"
    with Worker(product.stack.scratch, settings, api=api.url, token=product.stack.worker_token, name=name) as worker:
        yield worker


def log_of(worker: Worker) -> str:
    assert worker.process is not None
    return worker.process.log.read_text()


def imports_well(product: Product, api: Api) -> None:
    """Import an image of two platforms through this API, verify it in the target, read it, and delete it."""
    repository = product.push(synthetic_image(secrets.token_hex(4), [MIB, 2 * MIB]))

    def ask(method: str, path: str, body: object = None) -> Any:
        status, answer = api.request(method, f"/api/v1{path}", product.stack.user_token, body)
        assert status in {HTTPStatus.OK, HTTPStatus.NO_CONTENT}, (method, path, answer)
        return answer

    started = ask("POST", "/images:import", product.request_for(repository))
    image = product.ready(started["imageId"])
    product.verify(image, repository)
    path = f"/images/{image['id']}"
    assert ask("GET", path)["digest"] == image["digest"]
    assert ask("GET", f"{path}/importing-details")["state"] == "ready"
    assert str(image["id"]) in str(ask("GET", f"/images?tag={repository}"))
    ask("DELETE", path)
    assert api.request("GET", f"/api/v1{path}", product.stack.user_token)[0] == HTTPStatus.NOT_FOUND


def test_the_release_imports_next_to_the_newest_schema(
    product: Product, released_api: ReleasedApi, release: Release
) -> None:
    """After the migration alone, the release's API and worker still work."""
    with worker_for(product, released_api, release):
        imports_well(product, released_api)


def test_imports_of_the_release_end_on_its_workers(
    product: Product, released_api: ReleasedApi, release: Release
) -> None:
    """The release's workers finish its imports while the new API takes their reports."""
    repository = product.push(synthetic_image(secrets.token_hex(4), [MIB]))
    body = product.request_for(repository)
    answer = released_api.request("POST", "/api/v1/images:import", product.stack.user_token, body)[1]
    with worker_for(product, product.stack.api, release):
        product.verify(product.ready(answer["imageId"]), repository)


def test_an_import_of_the_newest_api_waits_for_a_worker_of_its_own(product: Product, release: Release) -> None:
    """The release's worker does not ask for the import's terms: the import is sent back, and ends well later."""
    repository = product.push(synthetic_image(secrets.token_hex(4), [MIB]))
    image_id = product.start(repository)
    with worker_for(product, product.stack.api, release):
        waiting = product.wait(image_id, states=["waiting"])
    assert waiting["error"]["code"] == "api_refused"
    assert "older release" in waiting["error"]["detail"]
    with worker_for(product, product.stack.api):
        product.verify(product.ready(image_id), repository)


def test_the_newest_workers_wait_for_an_api_that_knows_them(product: Product, released_api: ReleasedApi) -> None:
    """An API of the release gives no terms: the import stays with its worker, untouched, until it does."""
    repository = product.push(synthetic_image(secrets.token_hex(4), [MIB]))
    image_id = product.start(repository)
    with worker_for(product, released_api) as worker:
        product.wait(image_id, states=["running"])
        wait_until(lambda: "of an older release than this worker" in log_of(worker))
        details = product.details(image_id)
    assert (details["state"], details["bytesDone"]) == ("running", 0)
    with worker_for(product, product.stack.api):
        product.verify(product.ready(image_id), repository)
