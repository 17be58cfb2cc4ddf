"""Sign-in and sign-out: a token is checked before it is stored, stays in one tab, and leaves no trace."""

import pytest
from playwright.sync_api import expect

from tests.api_service.console.browser import Visit
from tests.system.conftest import Product

pytestmark = pytest.mark.xdist_group("console")

STORED = "() => Object.values(sessionStorage).concat(Object.values(localStorage), document.cookie).join('')"


def test_a_token_that_is_not_known_is_refused_with_what_to_do(visit: Visit) -> None:
    visit.open()
    for token, code in (("lsh_" + 43 * "A", "unauthenticated"), ("ä b", "token_malformed")):
        visit.page.get_by_label("Token").fill(token)
        visit.page.get_by_role("button", name="Sign in").click()
        expect(visit.page.get_by_role("alert")).to_contain_text(code)
        expect(visit.page.get_by_role("alert")).to_contain_text("longshore-api token create")
    assert visit.page.evaluate(STORED) == ""


def test_a_workers_token_opens_nothing(visit: Visit, product: Product) -> None:
    visit.open()
    visit.page.get_by_label("Token").fill(product.stack.worker_token)
    visit.page.get_by_role("button", name="Sign in").click()
    expect(visit.page.get_by_role("alert")).to_contain_text("This is a worker's token")
    assert visit.page.evaluate(STORED) == ""


def test_the_token_is_in_no_address_and_outlives_a_reload(user: Visit, product: Product) -> None:
    """The token is in sessionStorage and in the Authorization header, and never in logs, addresses or the history."""
    token = product.stack.user_token
    user.page.reload()
    user.page.get_by_role("button", name="Sign out").wait_for()
    assert not [request.url for request in user.requests if token in request.url]
    assert token not in user.page.url
    told = [request for request in user.requests if request.headers.get("authorization")]
    assert told
    assert all(request.url.startswith(f"{user.url}/api/v1/") for request in told)
    assert user.page.evaluate("() => localStorage.length + document.cookie.length") == 0


def test_signing_out_leaves_nothing(user: Visit) -> None:
    """The token is neither in the tab's storage nor on the page, also after the back button."""
    user.page.get_by_role("link", name="System").click()
    user.page.get_by_role("heading", name="Workers").wait_for()
    user.page.get_by_role("button", name="Sign out").click()
    expect(user.page.get_by_label("Token")).to_have_value("")
    expect(user.page.get_by_label("Token")).to_be_focused()
    assert user.page.evaluate(STORED) == ""
    user.page.go_back()
    expect(user.page.get_by_label("Token")).to_be_visible()
    expect(user.page.get_by_text("Workers")).to_have_count(0)


def test_a_revoked_token_leads_back_to_the_door(visit: Visit, product: Product) -> None:
    """The sign-in page shows the reason, and the token is deleted."""
    token = product.stack.api.new_token("leaver", "user")
    visit.sign_in(token)
    product.sql("UPDATE api_tokens SET revoked_at = now() WHERE user_name = 'leaver'")
    visit.page.wait_for_timeout(1_500)
    # Not by the link: a look of the page itself may have led back already.
    visit.page.evaluate("location.hash = '#/registries'")
    expect(visit.page.get_by_role("alert")).to_contain_text("unauthenticated")
    expect(visit.page.get_by_label("Token")).to_be_visible()
    assert visit.page.evaluate(STORED) == ""


def test_the_role_decides_what_is_offered(visit: Visit, product: Product) -> None:
    """The API decides what is allowed; the console hides the rest."""
    for token, number in ((product.stack.user_token, 0), (product.stack.admin_token, 1)):
        visit.sign_in(token, "#/registries")
        visit.page.get_by_text("No registry is stored yet").wait_for()
        expect(visit.page.get_by_role("button", name="Add a registry")).to_have_count(number)
        visit.page.get_by_role("button", name="Sign out").click()
