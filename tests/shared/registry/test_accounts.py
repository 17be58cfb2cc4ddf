"""Accounts: Basic authentication, and passwords and tokens that never appear in a message."""

from dataclasses import replace

import pytest

from deploy.local.stack import Registry as RegistryServer
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from tests.scripted.hostile import Answer, HostileRegistry, error
from tests.shared.fixtures import Opener
from tests.shared.registry.challenges import BASIC, CREDENTIAL, PING, SECRET, Gate, canaries, challenge, needs, token


async def test_a_password_opens_a_private_registry(opened: Opener, source_registry: RegistryServer) -> None:
    """docker-registry with htpasswd."""
    registries = await opened.loopback(source_registry.host)
    assert source_registry.username
    assert source_registry.password
    credential = Credential(source_registry.username, source_registry.password)
    await registries.registry(source_registry.host, credential).ping()


@pytest.mark.parametrize("credential", [None, CREDENTIAL], ids=["none", "wrong"])
async def test_no_password_or_a_wrong_one_is_denied(
    opened: Opener, source_registry: RegistryServer, credential: Credential | None
) -> None:
    """The request is not retried, because retries could lock the account."""
    registries = await opened.loopback(source_registry.host)
    registry = registries.registry(source_registry.host, credential)
    for ask in (registry.ping(), registry.repository("team/app").head_manifest("1")):
        with pytest.raises(LongshoreError) as caught:
            await ask
        assert caught.value.code == "source_denied"
        assert SECRET not in str(caught.value)


async def test_the_target_denies_in_its_own_words(opened: Opener, source_registry: RegistryServer) -> None:
    """The same status requires different actions by different people."""
    registries = await opened.loopback(source_registry.host, side=Side.TARGET)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(source_registry.host).ping()
    assert caught.value.code == "target_denied"


async def test_a_password_is_sent_only_when_asked_for_and_then_at_once(
    opened: Opener, hostile: HostileRegistry
) -> None:
    """The first request learns the challenge; later ones are authorised at once."""
    refused = replace(error(401, "UNAUTHORIZED"), headers={"WWW-Authenticate": 'Basic realm="x"'})
    hostile.on("GET", PING, Gate(BASIC, refused, Answer()))
    registries = await opened.loopback(hostile.host)
    registry = registries.registry(hostile.host, CREDENTIAL)
    for _ in range(3):
        await registry.ping()
    assert [asked.headers.get("authorization") for asked in hostile.asked] == [None, BASIC, BASIC, BASIC]


async def test_an_open_registry_never_sees_a_password(opened: Opener, hostile: HostileRegistry) -> None:
    """A registry without a challenge gets no credentials."""
    hostile.on("GET", PING, Answer())
    registries = await opened.loopback(hostile.host)
    await registries.registry(hostile.host, CREDENTIAL).ping()
    assert canaries(hostile) == []


async def test_accounts_at_one_registry_stay_apart(opened: Opener, source_registry: RegistryServer) -> None:
    """One user's rights must not serve another user."""
    registries = await opened.loopback(source_registry.host)
    assert source_registry.username
    assert source_registry.password
    good = Credential(source_registry.username, source_registry.password)
    await registries.registry(source_registry.host, good).ping()
    for credential in (None, CREDENTIAL):
        with pytest.raises(LongshoreError, match="denied"):
            await registries.registry(source_registry.host, credential).ping()
    await registries.registry(source_registry.host, good).ping()


async def test_basic_is_preferred_with_a_password_and_bearer_without(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry
) -> None:
    """Of several challenges, the client prefers the one that sends the password to no other host."""
    value = f'Bearer realm="http://{other.host}/token", Basic realm="x"'
    refused = replace(error(401, "UNAUTHORIZED"), headers={"WWW-Authenticate": value})
    hostile.on("GET", PING, lambda asked: Answer() if "authorization" in asked.headers else refused)
    other.on("GET", "/token", token())
    registries = await opened.loopback(hostile.host, other.host)
    await registries.registry(hostile.host, CREDENTIAL).ping()
    assert other.asked == []
    await registries.registry(hostile.host).ping()
    assert hostile.asked[-1].headers["authorization"] == "Bearer t1"


async def test_secrets_that_a_registry_repeats_are_not_passed_on(opened: Opener, hostile: HostileRegistry) -> None:
    """Error messages reach logs and users."""
    said = f"no {SECRET} no {BASIC.removeprefix('Basic ')} no"
    basic = replace(error(401, "DENIED", said), headers={"WWW-Authenticate": "Basic"})
    hostile.on("GET", PING, basic)
    with pytest.raises(LongshoreError) as caught:
        await (await opened.loopback(hostile.host)).registry(hostile.host, CREDENTIAL).ping()
    assert "no [secret] no [secret] no" in caught.value.detail


async def test_tokens_that_a_registry_repeats_are_not_passed_on(opened: Opener, hostile: HostileRegistry) -> None:
    """The rule is that of passwords."""
    hostile.on("GET", PING, needs("token-canary", challenge(hostile), error(403, "DENIED", "bad token-canary")))
    hostile.on("GET", "/token", token("token-canary"))
    with pytest.raises(LongshoreError) as caught:
        await (await opened.loopback(hostile.host)).registry(hostile.host).ping()
    assert "bad [secret]" in caught.value.detail


def test_a_credential_hides_its_password() -> None:
    """It would appear in logs otherwise."""
    assert SECRET not in repr(CREDENTIAL)
    assert SECRET not in f"{CREDENTIAL}"
