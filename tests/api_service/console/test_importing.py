"""Imports in the browser: preview, start, progress, cancellation, failure, retry and readiness."""

import json
import os
import re
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import Request, Route, expect

from deploy.local.stack import Harbor, synthetic_image
from tests.api_service.console.browser import Visit
from tests.api_service.console.importing import expect_status, fill_account, fill_dialog, start
from tests.system.conftest import Product

pytestmark = pytest.mark.xdist_group("console")

MIB = 1024 * 1024
# Records each value of the progress bar of the whole import.
_RECORD = """
window.seen = [];
new MutationObserver(() => {
  const bar = document.querySelector('.total [role="progressbar"]');
  if (bar?.getAttribute("aria-valuenow")) window.seen.push(Number(bar.getAttribute("aria-valuenow")));
}).observe(document.documentElement, { subtree: true, childList: true, attributes: true });
"""


@pytest.fixture
def held_worker(product: Product) -> Iterator[int]:
    """A stopped worker: it starts no import until the test sends SIGCONT to this process id."""
    pid = product.stack.workers[0].pid
    os.kill(pid, signal.SIGSTOP)
    yield pid
    os.kill(pid, signal.SIGCONT)


@pytest.fixture
def stored_account(product: Product) -> Iterator[None]:
    """The source registry's account, stored by an admin; imports from this registry use it."""
    api, source, token = product.stack.api, product.stack.source, product.stack.admin_token
    access = {"subjects": ["everybody"], "repositories": ["**"], "targets": ["**"]}
    account = {"username": source.username, "password": source.password}
    body = {"name": "source", "url": source.url, "access": access, **account}
    status, answer = api.request("POST", "/api/v1/image-registries", token, body)
    assert status == 201, answer
    yield
    api.request("DELETE", f"/api/v1/image-registries/{answer['id']}", token)


def test_an_image_is_previewed_imported_and_followed_until_it_is_ready(user: Visit, product: Product) -> None:
    """Progress appears without a reload, never decreases, and ends with the reference to pull."""
    repository = product.push(synthetic_image("console", [48 * MIB, 9_000], platforms=["linux/amd64"]))
    user.page.evaluate(_RECORD)
    dialog = fill_dialog(user, product, repository)
    dialog.get_by_role("button", name="Preview").click()
    plan = dialog.get_by_role("region", name="Preview")
    expect(plan).to_contain_text("50.3 MB to be copied")
    expect(plan).to_contain_text(f"{product.stack.target.host}/imports/")
    expect(dialog.get_by_role("button", name="Start import")).to_be_focused()
    dialog.get_by_role("button", name="Start import").click()
    expect_status(user, "ready")
    image_id = int(user.page.url.rpartition("/")[2])
    image = product.get(f"/images/{image_id}")
    expect(user.page.get_by_role("region", name="Pull")).to_contain_text(f"docker pull {image['reference']}")
    expect(user.page.locator(".layers")).to_contain_text("copied")
    seen = user.page.evaluate("() => window.seen")
    assert seen == sorted(seen)
    assert seen[-1] == 100
    product.verify(image, repository)


def test_what_the_target_has_is_shown_as_such(user: Visit, product: Product) -> None:
    """The preview and the list of layers show existing content, which explains why an import took no time."""
    first = product.push(synthetic_image("console shared", [3 * MIB], platforms=["linux/amd64"]))
    product.ready(product.start(first))
    second = product.push(synthetic_image("console shared", [3 * MIB], platforms=["linux/amd64"]))
    dialog = fill_dialog(user, product, second)
    dialog.get_by_role("button", name="Preview").click()
    expect(dialog.get_by_role("region", name="Preview")).to_contain_text("3.1 MB can be mounted")
    dialog.get_by_role("button", name="Start import").click()
    expect_status(user, "ready")
    expect(user.page.locator(".legend")).to_contain_text("3.1 MB mounted")
    expect(user.page.locator(".layers li[data-status=mounted]").first).to_contain_text("mounted")
    dialog = fill_dialog(user, product, second)
    dialog.get_by_role("button", name="Start import").click()
    expect(dialog.get_by_role("link", name="Show it")).to_be_visible()


@pytest.mark.usefixtures("stored_account")
def test_a_failure_says_what_to_do_and_is_tried_again(user: Visit, product: Product) -> None:
    """The project's quota is too small; after it is raised, the button alone retries the import."""
    harbor = product.stack.target
    assert isinstance(harbor, Harbor)
    harbor.create_project("tight", quota=1000)
    repository = product.push(synthetic_image("console tight", [40_000], platforms=["linux/amd64"]))
    start(user, product, repository, target="tight/app:1")
    expect_status(user, "failed")
    problem = user.page.get_by_role("alert")
    expect(problem).to_contain_text("target_quota_exceeded")
    expect(problem).to_contain_text("Delete unused images")
    harbor.set_quota("tight", -1)
    problem.get_by_role("button", name="Try again").click()
    expect_status(user, "ready")
    expect(user.page.get_by_role("alert")).to_have_count(0)


def test_a_refused_import_says_why_and_keeps_what_was_typed(user: Visit, product: Product) -> None:
    """The form keeps its entries, so that the user corrects only the mistake."""
    dialog = fill_dialog(user, product, "test/there-is-no-such")
    dialog.get_by_role("button", name="Start import").click()
    expect(dialog.get_by_role("alert")).to_contain_text("source_not_found")
    expect(dialog.get_by_role("alert")).to_contain_text("Check repository and tag")
    expect(dialog.get_by_label("User name")).to_have_value(product.stack.source.username or "")


def test_an_import_is_cancelled_and_begun_again(user: Visit, product: Product, held_worker: int) -> None:
    """The image's page and the list show that the import waits for a worker, and update without a reload."""
    repository = product.push(synthetic_image("console cancelled", [9_000], platforms=["linux/amd64"]))
    image_id = start(user, product, repository)
    expect(user.page.get_by_text("Waiting for a worker.").first).to_be_visible()
    user.page.get_by_role("link", name="Images", exact=True).click()
    row = user.page.get_by_role("row").filter(has=user.page.locator(f'a[href="#/images/{image_id}"]'))
    expect(row).to_contain_text("queued")
    row.get_by_role("link").click()
    user.page.get_by_role("button", name="Cancel import").click()
    expect(user.page.get_by_text("The import was cancelled.").first).to_be_visible()
    assert product.details(image_id)["state"] == "cancelled"
    user.page.get_by_role("button", name="Try again").click()
    expect(user.page.get_by_text("Waiting for a worker.").first).to_be_visible()
    os.kill(held_worker, signal.SIGCONT)
    # The account that the user typed was deleted with the cancelled import.
    expect_status(user, "failed")
    problem = user.page.get_by_role("alert").filter(has_text="source_denied")
    problem.get_by_role("button", name="With another account…").click()
    dialog = user.page.get_by_role("dialog", name="Try again with another account")
    fill_account(dialog, product)
    dialog.get_by_role("button", name="Try again").click()
    expect_status(user, "ready")


def test_a_break_of_the_stream_is_shown_and_survived(user: Visit, product: Product, held_worker: int) -> None:
    """The page says that its data is out of date, and continues without any action by the user."""
    repository = product.push(synthetic_image("console broken", [9_000], platforms=["linux/amd64"]))
    image_id = start(user, product, repository)
    expect(user.page.get_by_text("Waiting for a worker.").first).to_be_visible()
    broken = re.compile(r"/importing-details$")
    user.page.route(broken, lambda route: route.abort())
    product.stack.api.kill()
    expect(user.page.get_by_text("Longshore does not answer. Trying again.")).to_be_visible()
    product.stack.api.start()
    user.page.unroute(broken)
    os.kill(held_worker, signal.SIGCONT)
    expect_status(user, "ready")
    assert product.details(image_id)["state"] == "ready"


def test_a_refused_stream_is_replaced_by_polls(user: Visit, product: Product, held_worker: int) -> None:
    """The user has as many streams as he may: the page follows the import without one, and shows no error."""
    refused = []

    def refuse(route: Route, request: Request) -> None:
        if request.headers["accept"] != "text/event-stream":
            route.continue_()
            return
        refused.append(request.url)
        problem = {"code": "stream_limit_reached", "title": "Too many streams"}
        route.fulfill(status=429, content_type="application/problem+json", body=json.dumps(problem))

    user.page.route(re.compile(r"/importing-details$"), refuse)
    repository = product.push(synthetic_image("console polled", [9_000], platforms=["linux/amd64"]))
    start(user, product, repository)
    expect(user.page.get_by_text("Waiting for a worker.").first).to_be_visible()
    os.kill(held_worker, signal.SIGCONT)
    expect_status(user, "ready")
    assert refused
    expect(user.page.get_by_text("Trying again")).to_have_count(0)
