"""Every view: no horizontal scrolling, accessible names for all controls, contrast, light and dark themes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.api_service.console import showcase
from tests.api_service.console.browser import DESKTOP, PHONE, visiting
from tests.system.conftest import Product

pytestmark = pytest.mark.xdist_group("console")

ACCESSIBILITY = Path(__file__).with_name("accessibility.js").read_text()
# The narrowest width that must work (WCAG 2.2, 1.4.10).
NARROW = (320, 640)
_SIDEWAYS = """() => [...document.querySelectorAll("html, dialog[open]")]
  .filter((node) => node.scrollWidth > node.clientWidth).map((node) => `${node.tagName} ${node.scrollWidth}`)"""


@pytest.fixture(scope="module")
def places(product: Product) -> dict[str, int]:
    """Images in states that last only a moment in other tests."""
    long = "a-team-with-a-rather-long-name/" + 3 * "and-a-repository-with-an-even-longer-name-"
    moving = showcase.add_moving(product)
    product.sql(f"UPDATE images SET repository = 'imports/{long}x', description = 'long' WHERE id = {moving};")
    return {"moving": moving, "failed": showcase.add_failed(product)}


def views(page: Page, places: dict[str, int]) -> list[str]:
    """Go through all views and dialogs, and return the faults of each."""
    wrong: list[str] = []

    def look(where: str) -> None:
        wrong.extend(f"{where}: {line}" for line in [*page.evaluate(_SIDEWAYS), *page.evaluate(ACCESSIBILITY)])

    for fragment, ready in (
        ("#/images", "table"),
        (f"#/images/{places['moving']}", ".layers li"),
        (f"#/images/{places['failed']}", "[role=alert]"),
        ("#/images/999999", "[role=alert]"),
        ("#/nowhere", "[role=alert]"),
        ("#/registries", "table"),
        ("#/rules", "table"),
        ("#/tokens", "table"),
        ("#/audit", "table"),
        ("#/system", ".numbers"),
    ):
        page.evaluate("(place) => { location.hash = place; }", fragment)
        page.locator(f".stage {ready}").first.wait_for()
        look(fragment)
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_role("dialog").get_by_text("More", exact=True).click()
    page.get_by_label("Account at the source").select_option("Enter an account…")
    look("import")
    page.keyboard.press("Escape")
    for place, opener in (
        ("#/rules", "Add a rule"),
        ("#/rules", "Check an import"),
        ("#/tokens", "Create a token"),
    ):
        page.evaluate("(place) => { location.hash = place; }", place)
        page.get_by_role("button", name=opener).click()
        look(opener)
        page.keyboard.press("Escape")
    page.evaluate("() => { location.hash = '#/registries'; }")
    page.get_by_role("button", name="Edit").first.click()
    look("registry")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Delete").first.click()
    look("question")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    return wrong


@pytest.fixture(scope="module")
def stored(product: Product) -> Iterator[None]:
    """A stored registry for the tests of this file."""
    api, token = product.stack.api, product.stack.admin_token
    body = {"name": "shown", "url": "https://registry.example.com", "username": "u", "password": "p", "isDefault": True}
    status, answer = api.request("POST", "/api/v1/image-registries", token, body)
    assert status == 201
    yield
    api.request("DELETE", f"/api/v1/image-registries/{answer['id']}", token)


# Twenty views, each examined as a whole: half a minute on a machine with nothing else to do.
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("size", [DESKTOP, PHONE, NARROW], ids=["desktop", "phone", "narrow"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_view_can_be_read_and_used(
    chromium: Browser, product: Product, places: dict[str, int], size: tuple[int, int], *, dark: bool
) -> None:
    with visiting(chromium, product.stack.api.url, size=size, dark=dark) as visit:
        visit.open()
        visit.page.get_by_label("Token").wait_for()
        assert visit.page.evaluate(_SIDEWAYS) + visit.page.evaluate(ACCESSIBILITY) == []
        visit.sign_in(product.stack.admin_token)
        assert views(visit.page, places) == []
        ground = visit.page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor")
        assert ground == ("rgb(16, 21, 28)" if dark else "rgb(245, 246, 248)")
        visit.check()


def test_the_checks_find_what_they_look_for(chromium: Browser, product: Product) -> None:
    """The checks report faults on a page that has them."""
    with visiting(chromium, product.stack.api.url, size=PHONE) as visit:
        visit.open()
        visit.page.get_by_label("Token").wait_for()
        visit.page.evaluate(
            """() => {
              const pale = document.createElement("p");
              pale.textContent = "pale";
              pale.style.color = "#ccc";
              const wide = document.createElement("button");
              wide.style.width = "2000px";
              document.querySelector("main").append(pale, wide);
            }"""
        )
        assert visit.page.evaluate(_SIDEWAYS)
        found = " ".join(visit.page.evaluate(ACCESSIBILITY))
        assert "contrast" in found
        assert "no name: <button" in found
