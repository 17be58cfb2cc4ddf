"""The whole product before a real browser: API, worker, database, broker, a source registry and a Harbor."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from deploy.local.stack import Scratch, Stack
from tests.api_service.console.browser import Visit, running_chromium, visiting
from tests.system.conftest import LEASE_SECONDS, Product

SETTINGS = {"LEASE_SECONDS": LEASE_SECONDS, "RETRY_BASE_SECONDS": "1", "MAX_FAILURES": "2"}


# Not for the session: Playwright's event loop must have ended before other tests of this process start theirs.
@pytest.fixture(scope="package")
def product() -> Iterator[Product]:
    with Scratch() as scratch, Stack(scratch, fsync=False, harbor=True, settings=SETTINGS) as stack:
        yield Product(stack)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def visit(chromium: Browser, product: Product) -> Iterator[Visit]:
    """Somebody who is not signed in; whatever the test does is held to what holds for every visit."""
    with visiting(chromium, product.stack.api.url) as visit:
        yield visit
        visit.check()


@pytest.fixture
def user(visit: Visit, product: Product) -> Visit:
    """The user `demo`."""
    visit.sign_in(product.stack.user_token)
    return visit


@pytest.fixture
def admin(visit: Visit, product: Product) -> Visit:
    """The admin `admin`."""
    visit.sign_in(product.stack.admin_token)
    return visit
