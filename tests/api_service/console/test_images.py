"""The list: the server filters, sorts and paginates it; deletion shows its consequences."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from deploy.local.stack import synthetic_image
from tests.api_service.console.browser import Visit
from tests.system.conftest import Product

pytestmark = pytest.mark.xdist_group("console")

MARKUP = "<img src=x onerror=alert(1)><b>bold</b>"


@pytest.fixture(scope="module", autouse=True)
def many(product: Product) -> None:
    """Sixty images of two users in twelve repositories; none was ever ready."""
    product.sql(
        f"""
        INSERT INTO images (registry_host, repository, tag, description, status, source, created_by, created_at)
        SELECT 'harbor.example.com', 'many/app-' || lpad((n % 12)::text, 2, '0'), '1.' || lpad(n::text, 2, '0'),
               '{MARKUP}', 'failed', 'docker.io/many/app:1', CASE n % 3 WHEN 0 THEN 'demo' ELSE 'somebody' END,
               now() - interval '1 day' - n * interval '1 minute'
        FROM generate_series(0, 59) AS n;
        """
    )


def asked(visit: Visit) -> dict[str, list[str]]:
    """Return the query of the newest request for the list."""
    lists = [request.url for request in visit.requests if urlsplit(request.url).path == "/api/v1/images"]
    return parse_qs(urlsplit(lists[-1]).query)


def tags(page: Page) -> list[str]:
    return [text.rpartition(":")[2] for text in page.locator("th.tag a").all_text_contents()]


def test_filters_order_and_pages_are_the_servers(user: Visit) -> None:
    """The browser fetches one page at a time; the address holds all parameters, so that back and reload work."""
    page = user.page
    page.get_by_label("Find images").fill("many/app")
    expect(page).to_have_url(re.compile("text=many%2Fapp"))
    expect(page.locator(".count")).to_have_text("60 images")
    expect(page.get_by_text("1 to 25 of 60")).to_be_visible()
    page.get_by_role("button", name="Next page").click()
    expect(page.get_by_text("26 to 50 of 60")).to_be_visible()
    expect(page.get_by_role("button", name="Next page")).to_be_focused()
    page.get_by_role("button", name="Last page").click()
    expect(page.get_by_text("51 to 60 of 60")).to_be_visible()
    # Chromium's back button may skip entries that the page added without a user's action.
    page.evaluate("() => history.back()")
    expect(page.get_by_text("26 to 50 of 60")).to_be_visible()
    page.reload()
    expect(page.get_by_text("26 to 50 of 60")).to_be_visible()
    page.get_by_role("button", name="Tag", exact=True).click()
    expect(page.get_by_role("columnheader", name="Tag")).to_have_attribute("aria-sort", "ascending")
    expect(page.locator("th.tag a").first).to_contain_text("1.00")
    expect(page.get_by_role("button", name="Tag", exact=True)).to_be_focused()
    assert sorted(tags(page)) == [f"1.{number:02}" for number in range(25)]
    page.get_by_label("Mine").check()
    expect(page.locator(".count")).to_have_text("20 images")
    page.get_by_label("Status").select_option("Ready")
    expect(page.get_by_text("No image matches.")).to_be_visible()
    query = asked(user)
    assert query.pop("page_size") == ["25"]
    assert query == {
        "tag": ["many/app"], "userName": ["demo"], "ready": ["true"], "page_num": ["0"], "orderBy": ["tag"],
        "order": ["asc"],
    }  # fmt: skip
    page.get_by_role("button", name="Clear the filters").click()
    expect(page.locator("table.images")).to_be_visible()


def test_what_was_typed_is_kept_by_who_goes_on_at_once(user: Visit) -> None:
    """Another action right after typing does not wait for the pause in typing, and does not lose the text."""
    page = user.page
    expect(page.get_by_role("button", name="Next page")).to_be_enabled()
    page.get_by_label("Find images").press_sequentially("app-0")
    page.get_by_role("button", name="Next page").click()
    expect(page.get_by_text("26 to 50 of 50")).to_be_visible()
    assert asked(user)["tag"] == ["app-0"]
    expect(page.get_by_label("Find images")).to_have_value("app-0")


def test_images_stand_with_their_repository(user: Visit) -> None:
    user.open("#/images?text=many/app&sort=repo&order=asc&size=10")
    user.page.get_by_text("1 to 10 of 60").wait_for()
    groups = user.page.locator("tbody")
    assert groups.count() == 2
    for place, repository in enumerate(("many/app-00", "many/app-01")):
        expect(groups.nth(place).get_by_role("rowheader").first).to_contain_text(repository)
        assert groups.nth(place).locator("th.tag").count() == 5


def test_a_page_far_away_is_gone_to_directly(user: Visit) -> None:
    """This matters with a million images. An entry that is not a number changes nothing."""
    user.open("#/images?text=many/app&size=10")
    user.page.get_by_text("1 to 10 of 60").wait_for()
    number = user.page.get_by_label("Page", exact=True)
    number.press("ControlOrMeta+a")
    number.press_sequentially("6")
    number.press("Enter")
    expect(user.page.get_by_text("51 to 60 of 60")).to_be_visible()
    number.press("ControlOrMeta+a")
    number.press_sequentially("7")
    number.press("Enter")
    expect(user.page.get_by_text("51 to 60 of 60")).to_be_visible()


def test_what_people_write_is_shown_and_never_run(user: Visit) -> None:
    user.open("#/images?text=many/app")
    expect(user.page.locator(".description").first).to_have_text(MARKUP)
    assert user.page.locator("table img, table b").count() == 0


def test_only_ones_own_images_can_be_deleted(user: Visit) -> None:
    user.open("#/images?text=many/app&size=100")
    user.page.get_by_text("1 to 60 of 60").wait_for()
    assert user.page.get_by_role("button", name="Delete many/").count() == 20


def test_a_deletion_says_what_it_means_and_takes_only_that(user: Visit, product: Product) -> None:
    """Another tag of the same digest is named and kept; deleting the last tag also deletes the manifest."""
    image = synthetic_image("console deleted", [9_000], platforms=["linux/amd64"])
    repository = product.push(image, tag="one")
    product.push(image, repository, tag="two")
    for tag in ("one", "two"):
        product.ready(product.start(repository, tag))
    user.open(f"#/images?text={repository}")
    for tag, told in (("one", "Only the tag goes"), ("two", "the manifest goes too")):
        user.page.get_by_role("button", name=f"{repository}:{tag}").click()
        dialog = user.page.get_by_role("dialog", name="Delete this image?")
        expect(dialog).to_contain_text(told)
        expect(dialog.get_by_role("link", name="two")).to_have_count(1 if tag == "one" else 0)
        dialog.get_by_role("button", name="Keep").click()
        expect(dialog).to_have_count(0)
        user.page.get_by_role("button", name=f"{repository}:{tag}").click()
        dialog.get_by_role("button", name="Delete", exact=True).click()
        expect(dialog).to_have_count(0)
        expect(user.page.get_by_role("button", name=f"{repository}:{tag}")).to_have_count(0)
    expect(user.page.get_by_text("No image matches.")).to_be_visible()
    expect(user.page.get_by_role("heading", name="Images", level=1)).to_be_focused()
    found = product.get(f"/images?tag={repository}")
    assert found["totalCount"] == 0
