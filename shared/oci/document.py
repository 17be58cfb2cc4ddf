"""Bounds the memory that a JSON document takes when it is parsed."""

# JSON values of one document, of which each takes up to a hundred bytes: 1024 layers with twenty annotations have a
# quarter.
MAX_VALUES = 100_000
# Each value but the first follows one of these.
_BEFORE_VALUES = (b",", b"[", b"{")


def check_values(content: bytes) -> None:
    """Raise ValueError if the document may have too many values; commas inside of texts count, too."""
    if sum(map(content.count, _BEFORE_VALUES)) > MAX_VALUES:
        raise ValueError(f"the JSON document has more than {MAX_VALUES} values")
