"""Reads Link headers (RFC 8288) in linear time: a pattern for them takes minutes for 32 KiB of hostile text."""

from collections.abc import Iterable

# Characters of one header that are read; a usual one has a few hundred.
MAX_LINK_LENGTH = 8 * 1024
# Characters around a parameter's value: quotes and white space.
_AROUND = '" \t'


def next_link(headers: Iterable[str]) -> str | None:
    """Return the address of the first link with the relation `next`; None if there is none.

    An address may contain commas and semicolons, but no `<` or `>`.
    """
    for header in headers:
        # Each piece after a `<` is one link: its address, `>`, and its parameters, up to the next link.
        for piece in header[:MAX_LINK_LENGTH].split("<")[1:]:
            address, closed, parameters = piece.partition(">")
            if closed and _is_next(parameters):
                return address
    return None


def has_next_link(headers: Iterable[str]) -> bool:
    """Return whether there is a next page, whatever its address looks like."""
    return next_link(headers) is not None


def _is_next(parameters: str) -> bool:
    own = parameters.partition(",")[0]
    names_and_values = (part.partition("=") for part in own.split(";")[1:])
    return any(
        name.strip().lower() == "rel" and "next" in value.strip(_AROUND).lower().split()
        for name, _, value in names_and_values
    )
