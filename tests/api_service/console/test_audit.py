"""The audit log in the browser: for admins, filtered and paged by the server."""

import re

import pytest
from playwright.sync_api import expect

from tests.api_service.console.browser import Visit
from tests.system.conftest import Product

pytestmark = pytest.mark.xdist_group("console")

MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module", autouse=True)
def many(product: Product) -> None:
    """Sixty events of a user, the newest of them with a refusal; the objects look like markup."""
    product.sql(
        f"""
        INSERT INTO audit_events (at, user_name, role, address, operation, object, status, code, request_id)
        SELECT now() - n * interval '1 minute', 'auditee', 'user', '192.0.2.7', 'importImage', '{MARKUP}' || n,
               CASE n WHEN 0 THEN 403 ELSE 200 END, CASE n WHEN 0 THEN 'target_not_allowed' END, 'request-' || n
        FROM generate_series(0, 59) AS n ORDER BY n DESC;
        """
    )


def test_events_are_filtered_and_paged(admin: Visit) -> None:
    """Filters and the page are in the address, so that back and reload work."""
    page = admin.page
    page.get_by_role("link", name="Audit").click()
    page.get_by_label("User").fill("auditee")
    page.get_by_label("User").press("Enter")
    expect(page).to_have_url(re.compile("userName=auditee"))
    rows = page.locator("table.audit tbody tr")
    expect(rows).to_have_count(50)
    expect(rows.first).to_contain_text("target_not_allowed")
    expect(rows.first).to_contain_text(f"{MARKUP}0")
    expect(rows.nth(1)).to_contain_text("accepted")
    expect(page.locator("table img")).to_have_count(0)
    page.get_by_role("link", name="Older").click()
    expect(rows).to_have_count(10)
    page.reload()
    expect(rows).to_have_count(10)
    expect(page.get_by_label("User")).to_have_value("auditee")
    page.get_by_role("link", name="Newest").click()
    expect(rows).to_have_count(50)
    page.get_by_label("Error code").fill("target_not_allowed")
    page.get_by_label("Error code").press("Enter")
    expect(rows).to_have_count(1)
    page.evaluate("() => history.back()")
    expect(rows).to_have_count(50)
    page.get_by_label("Operation").fill("deleteImage")
    page.get_by_label("Operation").press("Enter")
    expect(page.get_by_text("No request matches.")).to_be_visible()


def test_what_an_admin_does_is_in_the_log(admin: Visit) -> None:
    page = admin.page
    admin.open("#/registries")
    page.get_by_role("button", name="Add a registry").click()
    dialog = page.get_by_role("dialog", name="Add a registry")
    dialog.get_by_label("Name", exact=True).fill("audited")
    dialog.get_by_label("Address").fill("https://audited.example.com")
    dialog.get_by_role("button", name="Add").click()
    page.get_by_role("button", name="Delete audited").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("button", name="Delete audited")).to_have_count(0)
    page.get_by_role("link", name="Audit").click()
    newest = page.locator("table.audit tbody tr").first
    expect(newest).to_contain_text("deleteRegistry")
    expect(newest).to_contain_text("admin")


def test_users_have_no_audit_log(user: Visit) -> None:
    """The link is missing, and the address leads to the API's refusal."""
    expect(user.page.get_by_role("link", name="Audit")).to_have_count(0)
    user.open("#/audit")
    expect(user.page.get_by_role("alert")).to_contain_text("forbidden")
