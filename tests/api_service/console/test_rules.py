"""Import rules in the browser: admins manage them, users see what they may import, a refusal is shown at its field."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from deploy.local.stack import Harbor, Remote, synthetic_image
from tests.api_service.console.browser import Visit
from tests.api_service.console.importing import fill_dialog
from tests.system.conftest import Product

pytestmark = pytest.mark.xdist_group("console")

MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
def only_rules(product: Product) -> Iterator[Any]:
    """Creates rules, which are the only ones while the test runs."""
    product.sql("CREATE TABLE kept_rules AS SELECT id, subjects FROM import_rules")
    product.sql("UPDATE import_rules SET subjects = '{user:nobody-at-all}'")

    def create(**fields: object) -> Any:
        status, rule = product.stack.api.request("POST", "/api/v1/import-rules", product.stack.admin_token, fields)
        assert status == 201, rule
        return rule

    yield create
    product.sql("DELETE FROM import_rules WHERE id NOT IN (SELECT id FROM kept_rules)")
    product.sql(
        "UPDATE import_rules SET subjects = kept.subjects FROM kept_rules AS kept WHERE kept.id = import_rules.id"
    )
    product.sql("DROP TABLE kept_rules")


def row(visit: Visit, text: str) -> Locator:
    return visit.page.get_by_role("row").filter(has=visit.page.get_by_role("rowheader", name=text, exact=True))


@pytest.mark.usefixtures("only_rules")
def test_a_rule_is_added_changed_and_deleted(admin: Visit, product: Product) -> None:
    """Sizes are written in units, and shown as they were written."""
    page = admin.page
    page.get_by_role("link", name="Rules").click()
    page.get_by_role("button", name="Add a rule").click()
    dialog = page.get_by_role("dialog", name="Add a rule")
    expect(dialog.get_by_label("Name")).to_be_focused()
    for label, text in (
        ("Name", "team-a"),
        ("Who", "group:team-a\nuser:anna\n"),
        ("From", "quay.io/**"),
        ("To", "team-a/**"),
        ("Largest image", "40 GiB"),
        ("Open imports of a user", "5"),
        ("Weight", "2"),
    ):
        dialog.get_by_label(label, exact=True).fill(text)
    dialog.get_by_label("Create missing projects").check()
    dialog.get_by_role("button", name="Add").click()
    shown = row(admin, "team-a")
    for text in ("group team-a", "user anna", "quay.io/**", "creates missing projects", "weight 2", "40 GiB an image"):
        expect(shown).to_contain_text(text)
    [stored] = [rule for rule in rules(product) if rule["name"] == "team-a"]
    assert (stored["subjects"], stored["maxImageBytes"]) == (["group:team-a", "user:anna"], 40 * 2**30)
    assert stored["weight"] == 2
    assert (stored["maxOpenImports"], stored["maxBytesPerMonth"], stored["createProjects"]) == (5, None, True)

    shown.get_by_role("button", name="Edit team-a").click()
    dialog = page.get_by_role("dialog", name="Edit team-a")
    expect(dialog.get_by_label("Largest image")).to_have_value("40 GiB")
    dialog.get_by_label("Largest image").fill("")
    dialog.get_by_label("From", exact=True).fill("quay.io/**\nghcr.io/team-a/*")
    dialog.get_by_role("button", name="Save").click()
    expect(shown).to_contain_text("ghcr.io/team-a/*")
    expect(shown).not_to_contain_text("an image")

    shown.get_by_role("button", name="Delete team-a").click()
    dialog = page.get_by_role("dialog", name="Delete this rule?")
    expect(dialog).to_contain_text("queued by it fail")
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(shown).to_have_count(0)
    assert not [rule for rule in rules(product) if rule["name"] == "team-a"]


def rules(product: Product) -> Any:
    status, answer = product.stack.api.request("GET", "/api/v1/import-rules", product.stack.admin_token)
    assert status == 200
    return answer["rules"]


def test_a_bad_rule_says_which_field_is_wrong_and_keeps_the_form(admin: Visit) -> None:
    """Sizes are refused before a request, patterns by the API; the first refused field has the focus."""
    admin.open("#/rules")
    admin.page.get_by_role("button", name="Add a rule").click()
    dialog = admin.page.get_by_role("dialog", name="Add a rule")
    for label, text in (("Name", "bad"), ("Who", "everybody"), ("From", "quay.io/[a-z]"), ("To", "a/**")):
        dialog.get_by_label(label, exact=True).fill(text)
    dialog.get_by_label("Per month and user").fill("a lot")
    dialog.get_by_role("button", name="Add").click()
    month = dialog.get_by_label("Per month and user")
    expect(month).to_be_focused()
    expect(month).to_have_attribute("aria-invalid", "true")
    expect(month).to_have_accessible_description("Such as 1.5TB. Empty: no limit. Write it as 40GB, 1.5TB or 40GiB.")
    month.fill("1TB")
    dialog.get_by_role("button", name="Add").click()
    sources = dialog.get_by_label("From", exact=True)
    expect(sources).to_be_focused()
    expect(sources).to_have_attribute("aria-invalid", "true")
    expect(month).not_to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_role("alert")).to_contain_text("validation_failed")
    expect(dialog.get_by_label("Who", exact=True)).to_have_value("everybody")


def test_users_see_what_they_may_import_and_what_is_left(user: Visit, only_rules: Any) -> None:
    """Other users' rules are not theirs to see; a name that looks like markup is text."""
    limits = {"maxOpenImports": 3, "maxBytesPerMonth": 2 * 10**12, "createProjects": True}
    only_rules(name=f"mine {MARKUP}", subjects=["user:demo"], sources=["quay.io/**"], targets=["{user}/**"], **limits)
    only_rules(name="not mine", subjects=["user:anna"], sources=["**"], targets=["**"])
    user.page.get_by_role("link", name="What I may import").click()
    expect(user.page.get_by_role("heading", name="What I may import", level=1)).to_be_focused()
    shown = row(user, f"mine {MARKUP}")
    for text in ("quay.io/**", "{user}/**", "3 of 3 open imports", "2.0 TB of 2 TB this month"):
        expect(shown).to_contain_text(text)
    expect(user.page.locator(".count")).to_have_text("1 rule")
    expect(user.page.get_by_text("not mine")).to_have_count(0)
    expect(user.page.get_by_role("button", name="Add a rule")).to_have_count(0)
    expect(user.page.locator("table img")).to_have_count(0)


@pytest.mark.usefixtures("only_rules")
def test_users_without_a_rule_are_told_so(user: Visit) -> None:
    user.open("#/rules")
    expect(user.page.get_by_text("No rule applies to you, so you cannot import.")).to_be_visible()


def test_a_refused_import_says_so_at_the_field(user: Visit, product: Product, only_rules: Any) -> None:
    """The source, then the target: each refusal is described by its field, which has the focus; typing removes it."""
    repository = product.push(synthetic_image("console refused", [9_000], platforms=["linux/amd64"]))
    dialog = fill_dialog(user, product, repository)
    dialog.get_by_role("button", name="Preview").click()
    source, target = dialog.get_by_label("Image", exact=True), dialog.get_by_label("Target")
    expect(dialog.get_by_role("alert")).to_contain_text("source_not_allowed")
    expect(source).to_be_focused()
    expect(source).to_have_attribute("aria-invalid", "true")
    only_rules(
        name="mine", subjects=["user:demo"], sources=[f"{product.stack.source.host}/**"], targets=["mine/**"],
        createProjects=True,
    )  # fmt: skip
    user.page.wait_for_timeout(1_500)  # The API caches rules for a second.
    target.fill("prod/app:1")
    expect(source).not_to_have_attribute("aria-invalid", "true")
    dialog.get_by_role("button", name="Start import").click()
    expect(target).to_be_focused()
    expect(dialog.locator("#import-target-reason")).to_contain_text("prod/app")
    target.fill("mine/app:1")
    dialog.get_by_role("button", name="Preview").click()
    expect(dialog.get_by_role("region", name="Preview")).to_contain_text("the rule mine")


def test_a_tag_of_another_tool_is_explained_with_the_way_to_replace_it(
    user: Visit, product: Product, only_rules: Any
) -> None:
    """The choice to force it is opened, and not made."""
    repository = product.push(synthetic_image("console foreign", [9_000], platforms=["linux/amd64"]))
    harbor = product.stack.target
    assert isinstance(harbor, Harbor)
    harbor.create_project("foreign")
    other = synthetic_image("console pipeline", [5_000], platforms=["linux/amd64"])
    Remote.of(harbor).push("foreign/app", "1", other)
    only_rules(name="mine", subjects=["user:demo"], sources=["**"], targets=["foreign/**"], overwriteForeignTags=True)
    user.page.wait_for_timeout(1_500)
    dialog = fill_dialog(user, product, repository, target="foreign/app:1")
    dialog.get_by_role("button", name="Start import").click()
    expect(dialog.get_by_role("alert")).to_contain_text("target_tag_foreign")
    expect(dialog.get_by_label("Target")).to_have_attribute("aria-invalid", "true")
    force = dialog.get_by_label("Import even if the image exists")
    expect(force).to_be_visible()
    expect(force).not_to_be_checked()
    force.check()
    dialog.get_by_role("button", name="Start import").click()
    expect(user.page.locator(".heading .badge")).to_have_text("ready")


@pytest.mark.usefixtures("only_rules")
def test_content_that_is_not_shown_is_said_to_be_hidden(user: Visit, product: Product) -> None:
    """The image's source needed an account, and the user has no rule for it."""
    digest = "sha256:" + 64 * "e"
    found = product.sql(
        f"""
        INSERT INTO images (registry_host, repository, tag, status, source, created_by, digest, size, source_private)
        VALUES ('harbor.example.com', 'hidden/app', '1', 'ready', 'quay.io/hidden/app:1', 'anna', '{digest}', 9, true)
        RETURNING id;
        """
    )
    user.open(f"#/images/{int(found.split()[0])}")
    expect(user.page.get_by_role("region", name="About")).to_contain_text("Hidden: the source needed an account.")
    assert digest not in user.page.content()


def test_an_import_is_checked_before_it_is_made(admin: Visit, only_rules: Any) -> None:
    """For another user, without asking the source."""
    only_rules(name="team-a", subjects=["group:team-a"], sources=["quay.io/**"], targets=["team-a/**"])
    admin.open("#/rules")
    admin.page.get_by_role("button", name="Check an import").click()
    dialog = admin.page.get_by_role("dialog", name="Check an import")
    dialog.get_by_label("Image").fill("quay.io/no/such:1")
    dialog.get_by_label("User", exact=True).fill("anna")
    dialog.get_by_label("Groups of this user").fill("team-a")
    dialog.get_by_role("button", name="Check").click()
    result = dialog.get_by_role("region", name="Result")
    expect(result).to_contain_text("not allowed")
    expect(result.get_by_role("listitem")).to_contain_text("target")
    dialog.get_by_label("Target").fill("team-a/such:1")
    dialog.get_by_role("button", name="Check").click()
    expect(result).to_contain_text("The import rule team-a allows the import.")
