"""Stored registries: listed, added, changed and deleted; the console never shows a stored password."""

import pytest
from playwright.sync_api import expect

from tests.api_service.console.browser import Visit
from tests.system.conftest import Product

pytestmark = pytest.mark.xdist_group("console")

SECRET = "written-and-never-read"
ROTATED = "rotated-and-never-read"


def test_a_registry_is_added_changed_and_deleted(admin: Visit, product: Product) -> None:
    page = admin.page
    page.get_by_role("link", name="Registries").click()
    page.get_by_role("button", name="Add a registry").click()
    dialog = page.get_by_role("dialog", name="Add a registry")
    for label, text in (("Name", "quay"), ("Address", "https://quay.io"), ("User name", "robot"), ("Password", SECRET)):
        dialog.get_by_label(label, exact=label == "Name").fill(text)
    dialog.get_by_role("button", name="Add").click()
    row = page.get_by_role("row").filter(has_text="quay")
    expect(row).to_contain_text("robot")
    expect(row.get_by_text("default")).to_have_count(0)

    row.get_by_role("button", name="Edit quay").click()
    dialog = page.get_by_role("dialog", name="Edit quay")
    expect(dialog.get_by_label("Password")).to_have_value("")
    dialog.get_by_label("Password").fill(ROTATED)
    dialog.get_by_label("The default").check()
    dialog.get_by_role("button", name="Save").click()
    expect(row.get_by_text("default")).to_be_visible()
    changes = [request.post_data_json for request in admin.requests if request.method == "PATCH"]
    assert changes == [{"isDefault": True, "password": ROTATED}]
    assert SECRET not in page.content()
    assert ROTATED not in page.content()

    row.get_by_role("button", name="Delete quay").click()
    dialog = page.get_by_role("dialog", name="Delete this registry?")
    expect(dialog).to_contain_text("It is the default")
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No registry is stored yet.")).to_be_visible()
    assert product.get("/image-registries")["totalCount"] == 0


def test_a_refusal_names_the_field_and_keeps_the_form(admin: Visit) -> None:
    admin.page.get_by_role("link", name="Registries").click()
    admin.page.get_by_role("button", name="Add a registry").click()
    dialog = admin.page.get_by_role("dialog", name="Add a registry")
    dialog.get_by_label("Name", exact=True).fill("bad name")
    dialog.get_by_label("Address").fill("https://quay.io")
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.get_by_role("alert")).to_contain_text("validation_failed")
    expect(dialog.get_by_role("alert").locator("li")).to_contain_text("name")
    expect(dialog.get_by_label("Address")).to_have_value("https://quay.io")


def test_an_account_is_given_to_users_and_tested(admin: Visit, product: Product) -> None:
    """The list of users is one a line; the test says which step failed, and can be repeated."""
    page, source = admin.page, product.stack.source
    admin.open("#/registries")
    page.get_by_role("button", name="Add a registry").click()
    dialog = page.get_by_role("dialog", name="Add a registry")
    for label, text in (("Name", "here"), ("Address", source.url), ("User name", "wrong"), ("Password", SECRET)):
        dialog.get_by_label(label, exact=label == "Name").fill(text)
    dialog.get_by_label("Who may use the account").fill("user:demo\ngroup:team-a\n")
    dialog.get_by_text("For which images").click()
    dialog.get_by_label("Targets").fill("team-a/**")
    dialog.get_by_role("button", name="Add").click()
    row = page.get_by_role("row").filter(has_text="here")
    expect(row).to_contain_text("user demo, group team-a")
    expect(row).to_contain_text("to team-a/**")
    [stored] = product.get("/image-registries")["registries"]
    assert stored["access"]["subjects"] == ["user:demo"], "a user sees the own subjects alone"

    row.get_by_role("button", name="Test here").click()
    result = page.get_by_role("dialog", name="Test here")
    expect(result.get_by_role("alert")).to_contain_text("source_denied")
    expect(result.get_by_role("listitem").filter(has_text="Connect")).to_contain_text("done")
    expect(result.get_by_role("listitem").filter(has_text="Sign in")).to_contain_text("failed")
    result.get_by_role("button", name="Close").last.click()

    row.get_by_role("button", name="Edit here").click()
    dialog = page.get_by_role("dialog", name="Edit here")
    expect(dialog.get_by_label("Who may use the account")).to_have_value("user:demo\ngroup:team-a")
    dialog.get_by_label("Who may use the account").fill("")
    dialog.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("admins")
    changes = [request.post_data_json for request in admin.requests if request.method == "PATCH"]
    assert changes == [{"access": None}]
    row.get_by_role("button", name="Delete here").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(row).to_have_count(0)
