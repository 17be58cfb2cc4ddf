"""The keyboard alone: Tab reaches all controls in their visual order, and the focus is visible."""

import pytest
from playwright.sync_api import Page, expect

from deploy.local.stack import synthetic_image
from tests.api_service.console.browser import Visit
from tests.api_service.console.importing import expect_status
from tests.system.conftest import Product

pytestmark = pytest.mark.xdist_group("console")

_FOCUSED = "() => document.activeElement.getAttribute('aria-label') || document.activeElement.textContent.trim()"
_OUTLINE = "() => parseFloat(getComputedStyle(document.activeElement).outlineWidth)"


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the control of this name has the focus; each control on the way must show its focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        assert page.evaluate(_OUTLINE) >= 2, page.evaluate(_FOCUSED)
        if page.evaluate(_FOCUSED) == name:
            return
    raise AssertionError(f"{name} is not reached")


def test_from_signing_in_to_a_ready_image_without_a_mouse(visit: Visit, product: Product) -> None:
    source, page = product.stack.source, visit.page
    repository = product.push(synthetic_image("console keyboard", [9_000], platforms=["linux/amd64"]))
    visit.open()
    expect(page.get_by_label("Token")).to_be_focused()
    page.keyboard.type(product.stack.user_token)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate(_FOCUSED) == "Skip to the content"
    tab_to(page, "Import")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Image", exact=True)).to_be_focused()
    page.keyboard.type(f"{source.host}/{repository}:latest")
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.get_by_label("Account at the source")).to_be_focused()
    page.keyboard.type("Enter an")
    page.keyboard.press("Tab")
    page.keyboard.type(source.username or "")
    page.keyboard.press("Tab")
    page.keyboard.type(source.password or "")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Start import")).to_be_focused()
    page.keyboard.press("Enter")
    expect_status(visit, "ready")
    expect(page.get_by_role("heading", level=1)).to_be_focused()


def test_a_dialog_keeps_the_focus_and_gives_it_back(user: Visit) -> None:
    """Escape closes the dialog; while it is open, the page behind it cannot get the focus."""
    page = user.page
    opener = page.get_by_role("button", name="Import", exact=True)
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Import an image")
    expect(dialog).to_be_visible()
    for _ in range(30):
        page.keyboard.press("Tab")
        assert page.evaluate("() => !document.activeElement.closest('#console')")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()


def test_a_new_place_begins_at_its_heading(user: Visit) -> None:
    """A screen reader then reads the heading of the new place; the skip link leads to it, too."""
    page = user.page
    page.get_by_role("link", name="System").press("Enter")
    expect(page.get_by_role("heading", name="System", level=1)).to_be_focused()
    assert page.title() == "System · Longshore"
    page.get_by_role("link", name="Skip to the content").press("Enter")
    expect(page.get_by_role("heading", name="System", level=1)).to_be_focused()


def test_what_happens_is_said(user: Visit) -> None:
    """The messages appear in a live region that existed before its text."""
    user.page.get_by_label("Find images").fill("there is no such image")
    expect(user.page.get_by_role("status").filter(has_text="0 images.")).to_have_count(1)
