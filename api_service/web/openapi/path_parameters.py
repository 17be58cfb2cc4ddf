"""The parameters in paths; a name means the same in every route."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from shared.model.integers import MAX_INT64

_IN_PATH = re.compile(r"{(\w+)}")
_FORMS: Mapping[str, Mapping[str, Any]] = {
    "id": {
        "description": "The id, as the list has it.",
        "schema": {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_INT64},
    },
    "name": {
        "description": "The import's name, as the answer to its start and its message in RabbitMQ have it.",
        "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9.-]{0,51}-[a-z0-9]{10}$"},
    },
}


def path_parameters(path: str, page_files: Collection[str]) -> list[dict[str, Any]]:
    """Return the parameters of a route's path, in their order."""
    file = {"description": "One of the page's own files.", "schema": {"type": "string", "enum": sorted(page_files)}}
    forms = {**_FORMS, "file": file}
    return [{"in": "path", "name": name, "required": True, **forms[name]} for name in _IN_PATH.findall(path)]
