"""Rules between fields, in JSON Schema's words: what the schemas check with code of their own."""

from collections.abc import Mapping
from typing import Any

_TEXT = {"type": "string"}
_NULL = {"type": "null"}
_BOTH = ["username", "password"]
_ACCOUNT = {"required": _BOTH, "properties": {"username": _TEXT, "password": _TEXT}}


def _report(states: list[str], **outcome: Any) -> dict[str, Any]:
    """Return the form of a report with one of these states; what it may not say is null or absent."""
    fields = {"error": _NULL, "content": _NULL} | outcome
    return {"required": list(outcome), "properties": {"state": {"enum": states}} | fields}


RULES: Mapping[str, Mapping[str, Any]] = {
    # A whole account, or none.
    "NewRegistry": {"anyOf": [_ACCOUNT, {"properties": {"username": _NULL, "password": _NULL}}]},
    # No change or a new password, a whole account, or its removal.
    "RegistryChange": {
        "anyOf": [
            {"properties": {"username": False, "password": _TEXT}},
            _ACCOUNT,
            {"required": _BOTH, "properties": {"username": _NULL, "password": _NULL}},
        ]
    },
    "ProgressReport": {
        "anyOf": [
            _report(["running", "tagging", "handed_back"]),
            _report(["failed"], error={"type": "object"}),
            _report(["ready"], content={"type": "object"}),
        ]
    },
}
