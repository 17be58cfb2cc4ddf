"""One setting, as the code reads it from the environment."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from marshmallow import validate

# The reader's methods, each with a description of its values.
_FORMS = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "`true` or `false`",
    "list": "list, separated by commas",
    "dict": "list of `key=value`, separated by commas",
    "registry_url": "address, `http(s)://host[:port]`",
    "http_url": "address, `http(s)://host[:port][/path]`",
    "fernet_keys": "list of keys, separated by commas",
}
# Defaults that a service derives from something else at its start.
_MADE_DEFAULTS = {"TARGET_NAME": "the host of `TARGET_URL`", "WORKER_NAME": "the host's name and the process id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """`form` is the reader's method, `default` is Ellipsis if there is none, `choices` is an enumeration class."""

    name: str
    form: str
    default: Any = ...
    check: Callable[[Any], Any] | None = None
    choices: type[Enum] | None = None

    def described(self) -> str:
        """Return a description of the values and the default."""
        return f"{self._values()}; {self._without()}"

    def _values(self) -> str:
        if self.choices:
            return _one_of([choice.value for choice in self.choices])
        if isinstance(self.check, validate.OneOf):
            return _one_of(list(self.check.choices))
        form = _FORMS[self.form]
        return f"{form}, {self.check.min} to {self.check.max}" if isinstance(self.check, validate.Range) else form

    def _without(self) -> str:
        if self.name in _MADE_DEFAULTS:
            return f"default: {_MADE_DEFAULTS[self.name]}"
        if self.default is ...:
            return "required"
        if self.default in (None, "", [], {}):
            return "default: not set"
        return f"default: `{_written(self.default)}`"


def _one_of(values: list[str]) -> str:
    *others, last = [f"`{value}`" for value in values if value]
    return f"{', '.join(others)} or {last}" if others else last


def _written(default: Any) -> str:
    match default:
        case Enum():
            return str(default.value)
        case bool():
            return str(default).lower()
        case float():
            return f"{default:g}"
        case list():
            return ",".join(map(str, default))
    return str(default)
