"""The whole product in front of a real browser: API, worker, database, broker, source registry and Harbor."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from deploy.local.stack import Scratch, Stack
from tests.api_service.console.browser import Visit, running_chromium, visiting
from tests.system.conftest import LEASE_SECONDS, Product

SETTINGS = {"LEASE_SECONDS": LEASE_SECONDS, "RETRY_BASE_SECONDS": "1", "MAX_FAILURES": "2"}


# Module scope, not session scope: Playwright's event loop must end before this process runs other tests.
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
    """A visitor without a token. Every visit is checked when the test ends."""
    with visiting(chromium, product.stack.api.url) as visit:
        yield visit
        visit.check()


@pytest.fixture
def user(visit: Visit, product: Product) -> Visit:
    """A visitor signed in as the user `demo`."""
    visit.sign_in(product.stack.user_token)
    return visit


@pytest.fixture
def admin(visit: Visit, product: Product) -> Visit:
    """A visitor signed in as the admin `admin`."""
    visit.sign_in(product.stack.admin_token)
    return visit
