"""Runs Debian's Chromium and records each visit to the console."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
# Chromium's sandbox does not work as root, and containers have little shared memory.
OPTIONS = ("--no-sandbox", "--disable-dev-shm-usage")
# The timeout of every wait: pages respond within a second, but the machine may be busy. Milliseconds.
DEADLINE = 60_000
DESKTOP = (1280, 800)
PHONE = (390, 844)
# The browser calls this listener for every resource that the page's policy blocks.
_REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`);
});
"""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A page of the console in a separate browser context, with its requests and errors."""

    page: Page
    url: str
    requests: list[Request] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def watch(self, context: BrowserContext) -> None:
        """Record the page's requests, console messages and errors from now on."""
        # Playwright sets attributes on each handler; bound methods of lists and frozen objects do not accept them.
        context.on("request", lambda request: self.requests.append(request))  # noqa: PLW0108
        context.on("console", lambda message: self._note(message))  # noqa: PLW0108
        context.on("weberror", lambda error: self.errors.append(str(error.error)))

    def _note(self, message: ConsoleMessage) -> None:
        if message.text.startswith("policy: ") or "Content Security Policy" in message.text:
            self.violations.append(message.text)

    def open(self, fragment: str = "") -> None:
        self.page.goto(f"{self.url}/{fragment}")

    def sign_in(self, token: str, fragment: str = "") -> None:
        self.open(fragment)
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("button", name="Sign out").wait_for()

    def check(self) -> None:
        """Check what every visit must fulfil: no request to another server, no policy violation, no error."""
        elsewhere = [request.url for request in self.requests if not request.url.startswith(f"{self.url}/")]
        assert not elsewhere
        assert not self.violations
        assert not self.errors


def missing() -> str:
    """Return why the browser is missing, or an empty string."""
    return "" if CHROMIUM.exists() else f"{CHROMIUM} is missing: run `make setup`"


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Run Chromium while the block runs. If it is missing, skip the test, or fail it where all tools are required."""
    if missing() and not os.environ.get("CI"):
        pytest.skip(missing())
    expect.set_options(timeout=DEADLINE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        yield browser
        browser.close()


@contextmanager
def visiting(
    browser: Browser, url: str, *, size: tuple[int, int] = DESKTOP, dark: bool = False, scale: float = 1
) -> Iterator[Visit]:
    """Open a window of this size in a new browser context."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        device_scale_factor=scale,
        has_touch=size == PHONE,
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )
    context.set_default_timeout(DEADLINE)
    context.add_init_script(_REPORT_VIOLATIONS)
    visit = Visit(page=context.new_page(), url=url)
    visit.watch(context)
    try:
        yield visit
    finally:
        context.close()
