"""Makes what a registry says fit for an error message: short, printable, without secrets."""

import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

# Characters of a registry's own words in one of our sentences.
MAX_WORDS = 300
# Entries of a registry's error list that are looked at; one or two are usual.
MAX_ERRORS = 5
# A shorter secret would blot out ordinary words of the message.
_MIN_SECRET = 4


@dataclass(frozen=True, slots=True)
class Complaint:
    """What an error answer says: the distribution spec's codes, and words for a person."""

    codes: tuple[str, ...] = ()
    words: str = ""


def read_complaint(content: bytes, secrets: Iterable[str] = ()) -> Complaint:
    """Read `{"errors": [{"code", "message"}]}`, a token service's `{"details"}`, or one line of plain text."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        text = content.decode("utf-8", "replace").strip()
        return Complaint(words="" if text.startswith("<") else clean(text, secrets))
    errors = document.get("errors") if isinstance(document, dict) else None
    if not isinstance(errors, list):
        return Complaint(words=clean(_plain_message(document), secrets))
    entries = [entry for entry in errors[:MAX_ERRORS] if isinstance(entry, dict)]
    codes = tuple(str(entry.get("code", "")).upper() for entry in entries)
    return Complaint(codes, clean("; ".join(_sentence(entry) for entry in entries), secrets))


def clean(text: str, secrets: Iterable[str] = ()) -> str:
    """Return one printable line of bounded length with the secrets blotted out."""
    for secret in secrets:
        if len(secret) >= _MIN_SECRET:
            text = text.replace(secret, "[secret]")
    spaced = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in text[: 4 * MAX_WORDS])
    line = " ".join(spaced.split())
    return line if len(line) <= MAX_WORDS else f"{line[:MAX_WORDS]}…"


def _plain_message(document: object) -> str:
    if not isinstance(document, dict):
        return ""
    values = (document.get(key) for key in ("details", "message", "error_description", "error"))
    return next((value for value in values if isinstance(value, str)), "")


def _sentence(entry: dict[str, object]) -> str:
    message = entry.get("message")
    detail = entry.get("detail")
    parts = [part for part in (message, detail) if isinstance(part, str) and part]
    return ", ".join(parts) or str(entry.get("code", ""))
