"""The System page: the target's figures, the queue, the workers and the health of each part."""

import os
import signal

import pytest
from playwright.sync_api import expect

from tests.api_service.console.browser import Visit
from tests.system.conftest import Product

pytestmark = pytest.mark.xdist_group("console")


def test_target_queue_and_workers_are_shown(user: Visit, product: Product) -> None:
    user.page.get_by_role("link", name="System").click()
    target = user.page.get_by_role("region", name="Target")
    expect(target).to_contain_text("everything in the target")
    expect(target).to_contain_text("projects")
    workers = user.page.get_by_role("region", name="Workers")
    expect(workers.get_by_text("with room for more")).to_be_visible()
    told = product.get("/operations")
    assert told["broker"]["connected"]
    expect(user.page.get_by_role("region", name="Imports")).to_contain_text("running")
    parts = user.page.get_by_role("region", name="Parts")
    for name in ("database", "schema", "rabbitmq", "target"):
        expect(parts.get_by_role("listitem").filter(has_text=name)).to_contain_text("works")


def test_a_part_that_is_away_is_named(user: Visit, product: Product) -> None:
    """The page still shows the figures of the other sources."""
    os.kill(product.stack.target.pid, signal.SIGSTOP)
    try:
        user.page.get_by_role("link", name="System").click()
        parts = user.page.get_by_role("region", name="Parts")
        expect(parts.locator("li", has_text="target").locator(".badge.bad")).to_be_visible()
        expect(user.page.get_by_role("region", name="Messages")).to_contain_text("in RabbitMQ")
    finally:
        product.stack.target.thaw()
