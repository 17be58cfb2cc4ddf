"""Imports an image through the dialog, as a user does."""

from playwright.sync_api import Locator, expect

from tests.api_service.console.browser import Visit
from tests.system.conftest import Product


def fill_account(dialog: Locator, product: Product) -> None:
    """Type the account of the source registry."""
    source = product.stack.source
    dialog.get_by_label("Account at the source").select_option("Enter an account…")
    dialog.get_by_label("User name").fill(source.username or "")
    dialog.get_by_label("Password or token").fill(source.password or "")


def fill_dialog(visit: Visit, product: Product, repository: str, *, target: str = "") -> Locator:
    """Open the dialog, fill in the image and the account of the source registry, and return the dialog."""
    visit.page.get_by_role("button", name="Import", exact=True).click()
    dialog = visit.page.get_by_role("dialog", name="Import an image")
    dialog.get_by_label("Image", exact=True).fill(f"{product.stack.source.host}/{repository}:latest")
    dialog.get_by_label("Target").fill(target)
    fill_account(dialog, product)
    return dialog


def start(visit: Visit, product: Product, repository: str, *, target: str = "") -> int:
    """Start an import without a preview, and return the image's id from the page's address."""
    fill_dialog(visit, product, repository, target=target).get_by_role("button", name="Start import").click()
    visit.page.wait_for_url("**/#/images/*")
    return int(visit.page.url.rpartition("/")[2])


def expect_status(visit: Visit, status: str) -> None:
    """Wait until the heading of the image shows this status."""
    expect(visit.page.locator(".heading .badge")).to_have_text(status)
