"""API tokens in the browser: created, shown once, copied, listed and revoked."""

import re

import pytest
from playwright.sync_api import expect

from tests.api_service.console.browser import Visit
from tests.system.conftest import Product

pytestmark = pytest.mark.xdist_group("console")


def test_a_token_is_created_shown_once_and_revoked(user: Visit, product: Product) -> None:
    """The secret works, is copied, and is nowhere after the dialog; it is in no address and no storage."""
    page = user.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("link", name="My tokens").click()
    page.get_by_role("button", name="Create a token").click()
    dialog = page.get_by_role("dialog", name="Create a token")
    dialog.get_by_label("Description").fill("CI of team-a")
    dialog.get_by_label("Days").fill("7")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog).to_contain_text("it is not shown again")
    secret = dialog.locator(".secret").inner_text()
    copy = dialog.get_by_role("button", name="Copy the token")
    expect(copy).to_be_focused()
    copy.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Copied.")).to_have_count(1)
    assert page.evaluate("() => navigator.clipboard.readText()") == secret
    assert product.stack.api.request("GET", "/api/v1/whoami", secret)[1]["userName"] == "demo"
    dialog.get_by_role("button", name="Done").click()
    row = page.get_by_role("row").filter(has_text="CI of team-a")
    expect(row).to_contain_text("for 7 days")
    expect(row.locator(".created").first).to_have_text(re.compile("just now|ago"))
    assert secret not in page.content()
    assert secret not in page.evaluate("() => JSON.stringify(sessionStorage) + location.href")

    row.get_by_role("button", name="Revoke CI of team-a").click()
    question = page.get_by_role("dialog", name="Revoke this token?")
    question.get_by_role("button", name="Revoke", exact=True).click()
    expect(row).to_contain_text("revoked")
    expect(row.get_by_role("button")).to_have_count(0)
    page.wait_for_timeout(1_500)
    assert product.stack.api.request("GET", "/api/v1/whoami", secret)[0] == 401


def test_the_token_of_this_session_is_marked(user: Visit) -> None:
    user.open("#/tokens")
    row = user.page.get_by_role("row").filter(has_text="this session")
    expect(row).to_have_count(1)
    row.get_by_role("button", name="Revoke").click()
    dialog = user.page.get_by_role("dialog", name="Revoke this token?")
    expect(dialog).to_contain_text("this signs you out")
    dialog.get_by_role("button", name="Keep").click()


def test_a_lifetime_that_is_no_number_is_refused_at_its_field(user: Visit) -> None:
    user.open("#/tokens")
    user.page.get_by_role("button", name="Create a token").click()
    dialog = user.page.get_by_role("dialog", name="Create a token")
    dialog.get_by_label("Days").fill("soon")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.get_by_label("Days")).to_be_focused()
    expect(dialog.get_by_label("Days")).to_have_attribute("aria-invalid", "true")
    dialog.get_by_label("Days").fill("99999")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.get_by_role("alert")).to_contain_text("validation_failed")
    expect(dialog.get_by_label("Days")).to_be_focused()


def test_admins_create_and_list_tokens_of_all_users(admin: Visit) -> None:
    """Users have neither the filter nor the fields."""
    page = admin.page
    admin.open("#/tokens")
    page.get_by_role("button", name="Create a token").click()
    dialog = page.get_by_role("dialog", name="Create a token")
    dialog.get_by_text("For another user").click()
    dialog.get_by_label("User", exact=True).fill("bot")
    dialog.get_by_label("Groups").fill("team-a\nteam-b")
    dialog.get_by_role("button", name="Create").click()
    dialog.get_by_role("button", name="Done").click()
    page.get_by_label("Tokens of all users").check()
    row = page.get_by_role("row").filter(has_text="bot")
    expect(row).to_contain_text("team-a, team-b")
    page.get_by_label("User", exact=True).fill("bot")
    page.get_by_label("User", exact=True).press("Enter")
    expect(page.locator(".count")).to_have_text("1 token")


def test_users_have_no_fields_of_admins(user: Visit) -> None:
    user.open("#/tokens")
    user.page.get_by_role("table").wait_for()
    expect(user.page.get_by_label("Tokens of all users")).to_have_count(0)
    user.page.get_by_role("button", name="Create a token").click()
    expect(user.page.get_by_text("For another user")).to_have_count(0)
