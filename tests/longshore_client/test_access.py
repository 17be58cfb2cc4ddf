"""The address and the token: their forms, their storage, and the access of others."""

import stat
from pathlib import Path

import pytest

from longshore_client.access import Access, clean_token, clean_url
from longshore_client.commands.config_file import (
    ConfigFileError,
    config_path,
    read_access,
    readable_by_others,
    write_access,
)
from longshore_client.commands.current_access import ENVIRONMENT, NoAccessError, find_access

STORED = Access(url="https://longshore.example.com", token="lsh_stored")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("longshore.example.com", "https://longshore.example.com"),
        (" https://Longshore.Example.com/ ", "https://longshore.example.com"),
        ("http://127.0.0.1:8080/api/v1/", "http://127.0.0.1:8080"),
        ("https://example.com/Longshore", "https://example.com/Longshore"),
    ],
)
def test_an_address_is_normalized(given: str, kept: str) -> None:
    assert clean_url(given) == kept


@pytest.mark.parametrize("given", ["", "ftp://x", "https://", "https://me:x@host", "https://h?x=1", "https://h:port"])
def test_an_invalid_address_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"address|port"):
        clean_url(given)


@pytest.mark.parametrize("given", ["", "  ", "two words", "line\nbreak", "tökén"])
def test_a_token_that_a_header_cannot_carry_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="token"):
        clean_token(given)


def test_the_repr_does_not_contain_the_token() -> None:
    assert "lsh_stored" not in repr(STORED)


@pytest.mark.parametrize(
    ("url", "unencrypted"),
    [
        ("https://longshore.example.com", False),
        ("http://127.0.0.1:8080", False),
        ("http://localhost", False),
        ("http://[::1]:80", False),
        ("http://longshore.example.com", True),
    ],
)
def test_an_unencrypted_token_is_detected(url: str, unencrypted: bool) -> None:
    """Loopback addresses need no TLS."""
    assert Access(url=url, token="t").unencrypted is unencrypted


def test_only_the_owner_can_read_the_file(environment: dict[str, str]) -> None:
    """The rule holds from the file's creation on, and also if it replaces a file that others could read."""
    path = config_path(environment)
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    path.chmod(0o644)
    assert readable_by_others(path)
    write_access(path, STORED)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_access(path) == STORED
    assert list(path.parent.iterdir()) == [path]


def test_a_damaged_file_is_reported(environment: dict[str, str]) -> None:
    path = config_path(environment)
    path.parent.mkdir(parents=True)
    for content in ("", "[]", '{"url": "https://x"}', "{"):
        path.write_text(content)
        with pytest.raises(ConfigFileError, match="damaged"):
            read_access(path)


def test_the_environment_has_precedence(environment: dict[str, str]) -> None:
    write_access(config_path(environment), STORED)
    found = find_access({**environment, "LONGSHORE_URL": "http://127.0.0.1:1", "LONGSHORE_TOKEN": "lsh_mine"})
    assert (found.access, found.token_from) == (Access(url="http://127.0.0.1:1", token="lsh_mine"), ENVIRONMENT)
    assert find_access({**environment, "LONGSHORE_TOKEN": "lsh_mine"}).access.url == STORED.url


def test_a_stored_token_is_not_sent_to_another_address(environment: dict[str, str]) -> None:
    """Another value of LONGSHORE_URL, from the user or from someone else, must not disclose the token."""
    write_access(config_path(environment), STORED)
    with pytest.raises(NoAccessError, match="not for LONGSHORE_URL"):
        find_access({**environment, "LONGSHORE_URL": "https://elsewhere.example.com"})
    same = find_access({**environment, "LONGSHORE_URL": "longshore.example.com/"})
    assert same.access == STORED


def test_a_missing_setting_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(NoAccessError, match="has no LONGSHORE_TOKEN"):
        find_access({**environment, "LONGSHORE_URL": "https://x"})
    with pytest.raises(NoAccessError, match="You are not signed in"):
        find_access(environment)
