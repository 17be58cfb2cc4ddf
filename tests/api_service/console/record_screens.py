"""Makes docs/screenshots: pictures of the console on a separate stack that showcase.py fills.

`python -m tests.api_service.console.record_screens docs/screenshots [NAME...]`; it needs the fonts Inter and
JetBrains Mono (Debian's packages fonts-inter and fonts-jetbrains-mono).
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser

from deploy.local.stack import Scratch, Stack, synthetic_image
from tests.api_service.console import showcase
from tests.api_service.console.browser import DESKTOP, PHONE, Visit, running_chromium, visiting
from tests.system.conftest import Product

# The running import moves in steps while a picture is taken: their number, bytes and pause in seconds.
STEPS, STEP_BYTES, STEP_SECONDS = 4, 7_300_000, 0.35
MIB = 1024 * 1024


@dataclass(frozen=True)
class Studio:
    """The running product and the browser from which pictures are taken."""

    product: Product
    browser: Browser
    moving: int
    failed: int

    @contextmanager
    def visit(self, fragment: str, *, phone: bool = False, dark: bool = False, admin: bool = False) -> Iterator[Visit]:
        """Sign in and open a place of the console."""
        stack = self.product.stack
        size, scale = (PHONE, 2) if phone else (DESKTOP, 1)
        with visiting(self.browser, stack.api.url, size=size, dark=dark, scale=scale) as visit:
            visit.sign_in(stack.admin_token if admin else stack.user_token, fragment)
            # An element under the pointer would be highlighted.
            visit.page.mouse.move(0, 0)
            # A page that follows an import never becomes idle.
            if fragment != f"#/images/{self.moving}":
                visit.page.wait_for_load_state("networkidle")
            yield visit

    def move(self) -> None:
        """Let the running import advance, so that the page can compute its speed."""
        for _ in range(STEPS):
            time.sleep(STEP_SECONDS)
            showcase.move(self.product, showcase.newest_import(self.product, self.moving), STEP_BYTES)
        time.sleep(STEP_SECONDS)


def images(studio: Studio, path: Path, *, phone: bool = False, dark: bool = False) -> None:
    with studio.visit("#/images", phone=phone, dark=dark) as visit:
        visit.page.get_by_text("%").first.wait_for()
        visit.page.screenshot(path=path)


def progress(studio: Studio, path: Path, *, phone: bool = False, dark: bool = False) -> None:
    with studio.visit(f"#/images/{studio.moving}", phone=phone, dark=dark) as visit:
        visit.page.get_by_role("heading", name="Import", exact=True).wait_for()
        studio.move()
        visit.page.screenshot(path=path)


def failure(studio: Studio, path: Path) -> None:
    with studio.visit(f"#/images/{studio.failed}") as visit:
        visit.page.get_by_role("alert").wait_for()
        visit.page.screenshot(path=path)


def preview(studio: Studio, path: Path, *, phone: bool = False) -> None:
    source = studio.product.stack.source
    with studio.visit("#/images", phone=phone) as visit:
        page = visit.page
        page.get_by_role("button", name="Import", exact=True).click()
        page.get_by_label("Image", exact=True).fill(f"{source.host}/team/search:5.1.0")
        page.get_by_label("Account at the source").select_option("Enter an account…")
        page.get_by_label("User name").fill(source.username or "")
        page.get_by_label("Password or token").fill(source.password or "")
        page.get_by_role("button", name="Preview").click()
        page.get_by_role("region", name="Preview").wait_for()
        page.screenshot(path=path)


def deletion(studio: Studio, path: Path) -> None:
    with studio.visit("#/images?text=alpine") as visit:
        visit.page.get_by_role("button", name="Delete imports/library/alpine:3.22").click()
        visit.page.get_by_text("manifest goes too").wait_for()
        visit.page.screenshot(path=path)


def registries(studio: Studio, path: Path) -> None:
    with studio.visit("#/registries", admin=True) as visit:
        visit.page.get_by_role("table").wait_for()
        visit.page.screenshot(path=path)


def system(studio: Studio, path: Path) -> None:
    with studio.visit("#/system") as visit:
        visit.page.get_by_text("with room for more").wait_for()
        visit.page.screenshot(path=path)


SCREENS: Mapping[str, Callable[[Studio, Path], None]] = {
    "images": images,
    "images-dark": partial(images, dark=True),
    "images-phone": partial(images, phone=True),
    "progress": progress,
    "progress-phone-dark": partial(progress, phone=True, dark=True),
    "failure": failure,
    "preview": preview,
    "preview-phone": partial(preview, phone=True),
    "delete": deletion,
    "registries": registries,
    "system": system,
}


def add_preview_source(product: Product) -> None:
    """Push an image that shares a layer with an imported one, so that its plan shows a shared layer."""
    layers = [24 * MIB, 41 * MIB, 7 * MIB]
    first = synthetic_image("team/search", layers[:1], shared=1, platforms=showcase.BOTH)
    product.push(first, "team/search-base", "5")
    product.ready(product.start("team/search-base", "5"))
    product.push(synthetic_image("team/search", layers, shared=1, platforms=showcase.BOTH), "team/search", "5.1.0")


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with Scratch() as scratch:
        stack = Stack(scratch, fsync=False, harbor=True)
        showcase.prepared(stack)
        with stack, running_chromium() as browser:
            product = Product(stack)
            showcase.fill(product)
            add_preview_source(product)
            product.sql("DELETE FROM images WHERE repository LIKE '%search-base';")
            showcase.add_rate_limit(product)
            studio = Studio(product, browser, showcase.add_moving(product), showcase.add_failed(product))
            for name in names or SCREENS:
                SCREENS[name](studio, folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
