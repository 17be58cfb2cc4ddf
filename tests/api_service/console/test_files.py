"""The console's files: the page loads all of them from the API, and nothing from another host."""

import re
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path

import pytest

from api_service.console.handlers import FILES, FOLDER
from tests.system.conftest import Product

pytestmark = pytest.mark.xdist_group("console")

TEXTS = {path.name: path.read_text() for path in sorted(FOLDER.iterdir())}


def get(product: Product, path: str, **headers: str) -> tuple[int, HTTPMessage, str]:
    connection = HTTPConnection("127.0.0.1", product.stack.api.port, timeout=60)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


def test_the_page_comes_with_everything_that_it_needs(product: Product) -> None:
    """The files need no token, and the page names each of them, so that the browser loads them in parallel."""
    status, headers, page = get(product, "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    wanted = re.findall(r'(?:src|href)="console/([^"]+)"', page)
    assert sorted(wanted) == sorted(FILES)
    for name in wanted:
        status, headers, text = get(product, f"/console/{name}")
        assert (status, text) == (200, TEXTS[name]), name
        assert headers["Content-Type"].startswith(FILES[name])


def test_every_answer_forbids_what_the_console_does_not_need(product: Product) -> None:
    """The policy allows scripts and styles from the API alone, no frames, and no referrer for other sites."""
    for path in ("/", "/console/start.js", "/console/base.css", "/console/mark.svg"):
        _, headers, _ = get(product, path)
        rules = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
        assert rules.pop("default-src") == "'none'"
        for own in ("script-src", "style-src", "connect-src", "img-src"):
            assert rules.pop(own) == "'self'"
        assert rules == {"base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"}
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_files_are_kept_and_asked_for_again(product: Product) -> None:
    """Browsers revalidate every file: an upgrade takes effect at once, and an unchanged file is not sent again."""
    for path in ("/", "/console/start.js"):
        _, headers, _ = get(product, path)
        assert headers["Cache-Control"] == "no-cache"
        status, _, text = get(product, path, **{"If-None-Match": headers["ETag"]})
        assert (status, text) == (304, "")


@pytest.mark.parametrize("name", ["index.html", "..%2Fhandlers.py", "..%2F..%2Fapp.py", "%2e%2e", "x.js", "%00"])
def test_there_are_no_other_files(product: Product, name: str) -> None:
    status, _, text = get(product, f"/console/{name}")
    assert (status, "route_not_found" in text) == (404, True)


@pytest.mark.parametrize("name", TEXTS)
def test_texts_have_no_address_and_no_markup_from_data(name: str) -> None:
    """The page shows data from the API as text: no script parses it as markup or runs it as code."""
    text = TEXTS[name].replace("http://www.w3.org/2000/svg", "")
    # Addresses in placeholders, which users type.
    text = re.sub(r'"https://(quay\.io|host)', '"', text)
    assert not re.search(r"https?://|[\"'(]//[a-z]", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|setHTML", text)
    assert not re.search(r"localStorage|indexedDB|document\.cookie", text)
    if name.endswith(".html"):
        assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)", text)


def test_the_files_go_with_the_package() -> None:
    """The files are inside api_service, which the wheel contains as a whole."""
    assert FOLDER.is_relative_to(Path(__file__).parents[3] / "api_service")
    assert "start.js" in FILES
