"""TLS is always verified, and the error of a failure says how an operator can repair it."""

import datetime as dt
from pathlib import Path

import pytest

from deploy.local.stack import Registry as RegistryServer
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.network.policy import NetworkPolicy
from shared.registry.client import open_registries
from tests.scripted.answer import Answer
from tests.scripted.hostile import HostileRegistry
from tests.scripted.registry import ScriptedRegistry
from tests.shared.certificates import Authority
from tests.shared.content import described, noise, push, read
from tests.shared.fixtures import Opener
from tests.shared.moving import REPOSITORY, source_at


def policy(*, trusted: dict[str, str] | None = None) -> NetworkPolicy:
    return NetworkPolicy.of(allowed_private=["127.0.0.0/8", "::1"], ca_files=trusted or {})


def found(location: str) -> Answer:
    return Answer(status=307, headers={"Location": location})


async def test_a_private_authority_is_trusted_for_its_host(
    opened: Opener, tls_registry: RegistryServer, authority: Authority, repository: str
) -> None:
    """The registry is docker-registry with TLS, and large blobs work, too."""
    registries = await opened(policy(trusted={tls_registry.host: str(authority.file)}), Side.TARGET)
    there = registries.registry(tls_registry.host).repository(repository)
    blob = await push(there, noise(2_000_000))
    assert await read(there, blob) == noise(2_000_000)


@pytest.mark.parametrize(("side", "code"), [(Side.SOURCE, "source_tls_failed"), (Side.TARGET, "target_tls_failed")])
async def test_an_unknown_authority_is_not_trusted(
    opened: Opener, tls_registry: RegistryServer, side: Side, code: str
) -> None:
    """No setting disables the verification."""
    with pytest.raises(LongshoreError) as caught:
        await (await opened(policy(), side)).registry(tls_registry.host).ping()
    assert caught.value.code == code
    assert "authority" in caught.value.detail


async def test_an_authority_of_one_host_is_none_for_another(
    opened: Opener, tls_registry: RegistryServer, authority: Authority
) -> None:
    """A CA file is valid for one host only."""
    registries = await opened(policy(trusted={"other.example": str(authority.file)}))
    with pytest.raises(LongshoreError, match="source_tls_failed"):
        await registries.registry(tls_registry.host).ping()


async def test_a_certificate_for_another_host_is_not_trusted(opened: Opener, authority: Authority) -> None:
    """The right authority is not sufficient."""
    context = authority.server("elsewhere", address="127.0.0.9").context()
    async with HostileRegistry(tls=context) as server:
        registries = await opened(policy(trusted={server.host: str(authority.file)}))
        with pytest.raises(LongshoreError) as caught:
            await registries.registry(server.host).ping()
    assert caught.value.code == "source_tls_failed"
    assert "another" in caught.value.detail


async def test_an_expired_certificate_is_not_trusted(opened: Opener, authority: Authority) -> None:
    """The error states that the certificate has expired."""
    context = authority.server("expired", ends=dt.timedelta(days=-1)).context()
    async with HostileRegistry(tls=context) as server:
        registries = await opened(policy(trusted={server.host: str(authority.file)}))
        with pytest.raises(LongshoreError) as caught:
            await registries.registry(server.host).ping()
    assert caught.value.code == "source_tls_failed"
    assert "expired" in caught.value.detail


async def test_a_self_signed_certificate_is_not_trusted(opened: Opener, authority: Authority) -> None:
    """It is refused with and without a configured authority; the error states the reason."""
    async with HostileRegistry(tls=authority.self_signed_server("alone").context()) as server:
        for trusted in ({}, {server.host: str(authority.file)}):
            with pytest.raises(LongshoreError) as caught:
                await (await opened(policy(trusted=trusted))).registry(server.host).ping()
            assert caught.value.code == "source_tls_failed"
            assert "self-signed" in caught.value.detail


@pytest.mark.parametrize("size", [10_000, 2_000_000])
async def test_an_authority_of_the_registry_is_none_for_its_storage(
    opened: Opener, authority: Authority, size: int
) -> None:
    """A redirect leads to another host, which needs its own trust; the same holds for large blobs."""
    content = noise(size, 61)
    context = authority.server("both").context()
    async with ScriptedRegistry(tls=context) as server, ScriptedRegistry(tls=context) as storage:
        server.on("GET", ".*/blobs/.*").answer_with(lambda asked: found(f"{storage.url}{asked.path}"))
        storage.add_blob(REPOSITORY, content)
        for trusted in ([server.host], [server.host, storage.host]):
            registries = await opened(policy(trusted=dict.fromkeys(trusted, str(authority.file))))
            source = source_at(registries, server.host)
            if len(trusted) == 1:
                with pytest.raises(LongshoreError) as caught:
                    async with source.download_blob(described(content)):
                        """There is no answer."""
                assert caught.value.code == "source_tls_failed"
                assert storage.host in caught.value.detail
                assert storage.asked == []
            else:
                async with source.open_blob(described(content)) as chunks:
                    assert b"".join([chunk async for chunk in chunks]) == content


async def test_a_plain_server_is_not_spoken_to_without_tls(opened: Opener, public_registry: RegistryServer) -> None:
    """If https fails, http is not tried: only a listed host is called over plain http."""
    with pytest.raises(LongshoreError) as caught:
        await (await opened(policy())).registry(public_registry.host).ping()
    assert caught.value.code == "source_tls_failed"


async def test_a_tls_server_listed_as_plain_does_not_answer_as_a_registry(
    opened: Opener, tls_registry: RegistryServer
) -> None:
    """This is the opposite mistake."""
    with pytest.raises(LongshoreError) as caught:
        await (await opened.loopback(tls_registry.host)).registry(tls_registry.host).ping()
    assert caught.value.code == "source_protocol_error"


async def test_a_file_that_holds_no_authority_is_named(tmp_path: Path) -> None:
    """The error appears when the service starts."""
    file = tmp_path / "empty.pem"
    file.write_text("nothing")
    with pytest.raises(ValueError, match=r"empty\.pem"):
        async with open_registries(policy(trusted={"registry.example": str(file)}), Side.SOURCE):
            pass
