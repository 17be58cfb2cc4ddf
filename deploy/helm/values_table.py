"""The table of the chart's values in docs/kubernetes.md: `python -m deploy.helm.values_table` updates it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parent / "longshore"
DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "kubernetes.md"
BEGIN, END = "<!-- values: made by python -m deploy.helm.values_table -->", "<!-- end of values -->"


def table() -> str:
    """Return the table, with a row for each value that can be set."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    rows = [
        f"| `{'.'.join(path)}` | {text} | {_shown(_default(defaults, path))} |" for path, text in _leaves(schema, ())
    ]
    return "\n".join(["| value | meaning | default |", "|---|---|---|", *rows])


def documented() -> str:
    """Return the table of the document."""
    return DOCUMENT.read_text().partition(BEGIN)[2].partition(END)[0].strip()


def _leaves(schema: Mapping[str, Any], path: Sequence[str]) -> Iterator[tuple[Sequence[str], str]]:
    for name, part in schema["properties"].items():
        # Some objects are described as a whole: a reference to a secret, a pod's resources.
        whole = set(part.get("properties", ())) & {"secret", "requests", "to", "maxSurge"} and name != "postgresql"
        if "properties" in part and not whole:
            yield from _leaves(part, (*path, name))
        else:
            yield (*path, name), part["description"]


def _default(defaults: Any, path: Sequence[str]) -> Any:
    for name in path:
        defaults = defaults.get(name) if isinstance(defaults, dict) else None
    return defaults


def _shown(value: Any) -> str:
    return "" if value in (None, "", {}, []) and value is not False else f"`{json.dumps(value)}`"


def _write() -> None:
    text = DOCUMENT.read_text()
    before, _, rest = text.partition(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    _write()
