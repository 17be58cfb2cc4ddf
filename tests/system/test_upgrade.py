"""The last release with the newest schema: during an upgrade both versions run on one database."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import pytest

from deploy.local.stack import Api, Worker, synthetic_image
from tests.system.conftest import Product
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
def worker_for(product: Product, api: Api, release: Release | None = None) -> Iterator[None]:
    """Run one worker of this tree or of the release, which reports to this API."""
    settings = {name: value for name, value in product.stack.api.settings.items() if not name.startswith("API_")}
    settings |= release.settings if release else {}
    name = f"upgrade-{secrets.token_hex(4)}"
    with Worker(product.stack.scratch, settings, api=api.url, token=product.stack.worker_token, name=name):
        yield


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


def test_the_release_s_workers_work_for_the_newest_api(product: Product, release: Release) -> None:
    """The release's workers report to the new API."""
    with worker_for(product, product.stack.api, release):
        imports_well(product, product.stack.api)


def test_the_newest_workers_work_for_the_release_s_api(product: Product, released_api: ReleasedApi) -> None:
    """A new worker reports to an API instance of the release, during the upgrade or after a rollback."""
    with worker_for(product, released_api):
        imports_well(product, released_api)
