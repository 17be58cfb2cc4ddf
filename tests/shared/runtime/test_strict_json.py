"""JSON from untrusted senders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.strict_json import load_object


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"\xff{}", "not UTF-8"),
        (b"[]", "not an object"),
        (b'"x"', "not an object"),
        (b"null", "not an object"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": 9223372036854775808}', "beyond 64 bits"),
        (b'{"a": ' + 5000 * b"9" + b"}", "beyond 64 bits"),
        (b'{"a": 1, "a": 2}', "key twice"),
        (b'{"a": {"b": 1, "b": 1}}', "key twice"),
        (b'{"a": "\\u0000"}', "NUL"),
        (b'{"\\u0000": 1}', "NUL"),
        (b'{"a": ["\\ud800"]}', "surrogate"),
        (b'{"a": "\x00"}', "not JSON"),
        (b'{"a": ' + 100_000 * b"[", "nested"),
        (b'{"a": 1} x', "not JSON"),
    ],
)
def test_what_could_mislead_or_not_be_stored_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        load_object(content)


def test_ordinary_json_is_read() -> None:
    content = '{"a": [1, -9223372036854775807, 1.5, true, null, "\\u00e4\\ud83d\\ude00ä"], "b": {}}'.encode()
    assert load_object(content) == {"a": [1, -9223372036854775807, 1.5, True, None, "ä😀ä"], "b": {}}


@pytest.mark.parametrize(("written", "number"), [(b"1.0", 1), (b"-2e3", -2000), (b"1.5", 1.5), (b"1e300", 1e300)])
def test_a_whole_number_is_an_integer_however_it_is_written(written: bytes, number: float) -> None:
    """JSON Schema, 6.1.1; a number beyond the range in which a float is exact stays a float."""
    found = load_object(b'{"a": ' + written + b"}")["a"]
    assert (found, type(found)) == (number, type(number))


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="surrogatepass")))
def test_nothing_but_a_value_error_ever_comes_out(content: bytes) -> None:
    """The caller turns a ValueError into an answer; any other exception would be a defect of Longshore."""
    try:
        assert isinstance(load_object(content), dict)
    except ValueError as error:
        assert str(error).startswith("The body")  # noqa: PT017 - both outcomes are good
