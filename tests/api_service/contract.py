"""The examples of the public contract, read from its document, if that is available."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

# Beside the checkout, as on the build server.
LOCATION = Path(__file__).parents[3] / "shared" / "contract" / "image-api.md"
_SECTION = re.compile(r"^### \d+\. (.+)$", re.MULTILINE)
_EXAMPLE = re.compile(r"^\*\*([^*\n]+)\*\*:?\n```json\n(.*?)\n```", re.MULTILINE | re.DOTALL)
# The examples that the tests know; another one in the document needs another test.
KNOWN = {
    "List Images: Response Example (flat=true)",
    "List Images: Response Example (flat=false)",
    "Import Image: Request Example",
    "Import Image: Response Example",
    "Get Image Import Details: Response Example",
    "Get Harbor Statistics: Response Example",
}


def contract_examples() -> dict[str, Any]:
    """Return the examples by section and title; skip the test if the document is not available."""
    if not LOCATION.is_file():
        pytest.skip("The contract's document is not beside this checkout.")
    _, *parts = _SECTION.split(LOCATION.read_text())
    sections = zip(parts[::2], parts[1::2], strict=True)
    return {
        f"{section}: {title.rstrip(':')}": json.loads(body)
        for section, text in sections
        for title, body in _EXAMPLE.findall(text)
    }
