"""Whether the API's parts work."""

from collections.abc import Mapping
from dataclasses import dataclass

from longshore_client.answer import Json, maybe, need


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """The API's parts by name, each with what is wrong with it: None where it works."""

    ready: bool
    trouble: Mapping[str, str | None]

    @classmethod
    def of(cls, document: Json) -> "Readiness":
        """Read the answer of /readyz."""
        parts = need(document, "parts", dict)
        trouble = {str(name): _trouble(part) for name, part in parts.items() if isinstance(part, dict)}
        return cls(ready=need(document, "status", str) == "ready", trouble=trouble)


def _trouble(part: Json) -> str | None:
    return None if need(part, "ready", bool) else maybe(part, "detail", str) or "it does not work"
