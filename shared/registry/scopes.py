"""Token scopes, `repository:<name>:<action>,<action>` (distribution's token specification)."""

from collections.abc import Iterable
from dataclasses import dataclass

PULL = frozenset({"pull"})
PULL_PUSH = frozenset({"pull", "push"})
DELETE = frozenset({"delete", "pull"})


@dataclass(frozen=True, slots=True)
class Scopes:
    """The scopes of a token request: actions by resource (`repository:library/alpine`); order does not matter."""

    resources: frozenset[tuple[str, frozenset[str]]] = frozenset()

    @classmethod
    def repository(cls, name: str, actions: frozenset[str]) -> "Scopes":
        return cls(frozenset({(f"repository:{name}", actions)}))

    @classmethod
    def parse(cls, text: str) -> "Scopes":
        """Read a challenge's space-separated list; an entry without actions is skipped."""
        parts = (entry.rpartition(":") for entry in text.split())
        return cls.of((resource, actions.split(",")) for resource, colon, actions in parts if colon)

    @classmethod
    def of(cls, entries: Iterable[tuple[str, Iterable[str]]]) -> "Scopes":
        """Combine entries; the actions of one resource are merged."""
        merged: dict[str, frozenset[str]] = {}
        for resource, actions in entries:
            merged[resource] = merged.get(resource, frozenset()) | frozenset(actions)
        return cls(frozenset(merged.items()))

    def __or__(self, other: "Scopes") -> "Scopes":
        if not other.resources:
            return self
        return self.of((*self.resources, *other.resources))

    def merged_with(self, challenged: "Scopes") -> "Scopes":
        """Return the scopes to request after a challenge that names scopes: normally both together.

        A registry that knows the repository under another name (a virtual host's prefix) names none of ours; then
        only its own scopes are right.
        """
        ours = {resource for resource, _ in self.resources}
        theirs = {resource for resource, _ in challenged.resources}
        return challenged if theirs and not ours & theirs else self | challenged

    def texts(self) -> list[str]:
        """Return one `scope` parameter per resource, in a stable order."""
        return [f"{resource}:{','.join(sorted(actions))}" for resource, actions in sorted(self.resources, key=_name)]


def _name(entry: tuple[str, frozenset[str]]) -> str:
    return entry[0]
