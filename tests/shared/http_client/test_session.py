"""The HTTP session: no cookies, nothing from the environment, and its own User-Agent."""

import asyncio
from pathlib import Path

import pytest
import uvloop

from tests.scripted.hostile import Answer, HostileRegistry
from tests.shared.fixtures import Opener

PING = "/v2/"


async def test_the_environments_proxies_are_not_used(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would see every credential, and connect to addresses that the guard forbids."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, other.url)
    hostile.on("GET", PING, Answer())
    await (await opened.loopback(hostile.host)).registry(hostile.host).ping()
    assert other.asked == []


async def test_the_machines_netrc_is_not_used(
    opened: Opener, hostile: HostileRegistry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Credentials come only from the import."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login root password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    hostile.on("GET", PING, Answer())
    await (await opened.loopback(hostile.host)).registry(hostile.host).ping()
    assert "authorization" not in hostile.asked[0].headers


async def test_cookies_are_not_kept(opened: Opener, hostile: HostileRegistry) -> None:
    """One account's session must not serve another's requests."""
    hostile.on("GET", PING, Answer(headers={"Set-Cookie": "session=secret; Path=/"}))
    registry = (await opened.loopback(hostile.host)).registry(hostile.host)
    await registry.ping()
    await registry.ping()
    assert not [asked for asked in hostile.asked if "cookie" in asked.headers]


async def test_the_tests_run_on_the_services_event_loop() -> None:
    """On another event loop the tests would prove nothing about its sockets."""
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)


async def test_requests_say_who_asks(opened: Opener, hostile: HostileRegistry) -> None:
    """A registry's operator should find Longshore in the logs."""
    hostile.on("GET", PING, Answer())
    await (await opened.loopback(hostile.host)).registry(hostile.host).ping()
    assert hostile.asked[0].headers["user-agent"].startswith("longshore")
