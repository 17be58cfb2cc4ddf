"""Reads the body of an error response: a short printable message without secrets, and the error codes.

The format `{"errors": [{"code", "message"}]}` is the distribution specification's; Harbor's own API uses it as well.
"""

import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

# Characters of a server's message in one of our sentences.
MAX_MESSAGE_LENGTH = 300
# Entries of a server's error list that are read; one or two are usual.
MAX_ERRORS = 5
# Characters; removing a shorter secret would remove ordinary words of the message.
_MIN_SECRET_LENGTH = 4


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The content of an error response: the server's error codes, and its message for a person."""

    codes: tuple[str, ...] = ()
    message: str = ""


def read_error_body(content: bytes, secrets: Iterable[str] = ()) -> ErrorBody:
    """Read `{"errors": [{"code", "message"}]}`, a token service's `{"details"}`, or one line of plain text."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        text = content.decode("utf-8", "replace").strip()
        return ErrorBody(message="" if text.startswith("<") else clean(text, secrets))
    errors = document.get("errors") if isinstance(document, dict) else None
    if not isinstance(errors, list):
        return ErrorBody(message=clean(_plain_message(document), secrets))
    entries = [entry for entry in errors[:MAX_ERRORS] if isinstance(entry, dict)]
    codes = tuple(_text(entry.get("code")).upper() for entry in entries)
    return ErrorBody(codes, clean("; ".join(_sentence(entry) for entry in entries), secrets))


def clean(text: str, secrets: Iterable[str] = ()) -> str:
    """Return one printable line of bounded length, with every secret replaced."""
    for secret in secrets:
        if len(secret) >= _MIN_SECRET_LENGTH:
            text = text.replace(secret, "[secret]")
    start = text[: 4 * MAX_MESSAGE_LENGTH]
    spaced = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in start)
    line = " ".join(spaced.split())
    return line if len(line) <= MAX_MESSAGE_LENGTH else f"{line[:MAX_MESSAGE_LENGTH]}…"


def _plain_message(document: object) -> str:
    if not isinstance(document, dict):
        return ""
    values = (document.get(key) for key in ("details", "message", "error_description", "error"))
    return next((value for value in values if isinstance(value, str)), "")


def _sentence(entry: dict[str, object]) -> str:
    message = entry.get("message")
    detail = entry.get("detail")
    parts = [part for part in (message, detail) if isinstance(part, str) and part]
    return ", ".join(parts) or _text(entry.get("code"))


def _text(value: object) -> str:
    """Return a text or a number in words; a list may be nested deeper than it can be shown."""
    return str(value) if isinstance(value, str | int | float) else ""
