"""Reads WWW-Authenticate (RFC 9110, section 11.6.1): several challenges, quoted strings, in one header or more."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# Characters of all challenges of a response that are read; a usual one has a few hundred.
MAX_CHALLENGE_LENGTH = 8 * 1024
# Either one parameter, or a new scheme, or text to skip (a token68, as in `Negotiate abc==`). Separators are not
# matched: finditer skips them, whereas a pattern for them would be tried again at each of their characters. No part
# is given back (`++`): a shorter one would never fit what must follow it.
_PART = re.compile(
    r"""(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]++)\s*+=\s*+(?:"(?P<quoted>(?:[^"\\]|\\.)*+)"|(?P<plain>[^\s",=]++))(?=\s*+(?:,|$))
      | (?P<scheme>[!#$%&'*+.^_`|~0-9A-Za-z-]++)(?=[\s,]|$)
      | (?P<other>[^\s,]++)
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One scheme and its parameters; the scheme and the parameters' names are in lower case."""

    scheme: str
    parameters: Mapping[str, str]

    def get(self, name: str) -> str:
        """Return a parameter, or an empty string."""
        return self.parameters.get(name, "")

    def without(self, name: str) -> "Challenge":
        """Return the same challenge without one parameter."""
        return Challenge(self.scheme, {key: value for key, value in self.parameters.items() if key != name})


def parse_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """Return the challenges in their order; unreadable parts are skipped."""
    text = ", ".join(headers)[:MAX_CHALLENGE_LENGTH]
    found: list[tuple[str, dict[str, str]]] = []
    for part in _PART.finditer(text):
        if part["scheme"]:
            found.append((part["scheme"].lower(), {}))
        elif part["name"] and found:
            found[-1][1].setdefault(part["name"].lower(), _value(part))
    return tuple(Challenge(scheme, parameters) for scheme, parameters in found)


def _value(part: re.Match[str]) -> str:
    if part["quoted"] is None:
        return part["plain"] or ""
    return re.sub(r"\\(.)", r"\1", part["quoted"])
