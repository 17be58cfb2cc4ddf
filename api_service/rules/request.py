"""Requests of administrators about import rules."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared.model.import_rule import ImportRule


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """The new values by their names in `RuleValues`; what is absent stays, and None removes a limit."""

    values: Mapping[str, Any]

    def apply(self, rule: ImportRule) -> ImportRule:
        """Return the rule with the new values."""
        return replace(rule, **self.values)
