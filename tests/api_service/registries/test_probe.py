"""POST /image-registries/:id:test: the steps of a test, its limits, and registries that are hostile to it."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api_service.registries import probe
from api_service.settings import Settings
from deploy.local.stack import Registry
from shared.model.roles import Role
from shared.network.policy import NetworkPolicy
from tests.api_service.api import BASE, Answer, Api
from tests.api_service.conftest import OpenApi, Source
from tests.api_service.imports.test_import_credentials import FOR_ALL, account, store
from tests.scripted.hostile import Answer as Scripted
from tests.scripted.hostile import HostileRegistry
from tests.shared.certificates import Authority

SECRET = "s3cret-of-a-test"
ACCOUNT = {"username": "robot", "password": SECRET}
BASIC = Scripted(status=401, headers={"WWW-Authenticate": 'Basic realm="r"'})
OK = Scripted(body=b"{}")


async def run(api: Api, registry_id: int, **options: Any) -> Answer:
    return await api.call("POST", f"{BASE}/image-registries/{registry_id}:test", **{"role": Role.ADMIN, **options})


async def result_of(api: Api, host: str, **more: Any) -> Any:
    """Store a registry for this host, test it, and return the result."""
    answer = await run(api, await store(api, "tested", host, **more))
    assert answer.status == 200, answer
    return answer.body


def steps(result: Any) -> list[str]:
    assert [step["name"] for step in result["steps"]] == ["reach", "signIn", "answer"]
    return [step["result"] for step in result["steps"]]


async def forget_tests(api: Api) -> None:
    await api.execute("DELETE FROM registry_tests")


async def test_an_account_that_works_is_reported(api: Api, source_registry: Registry) -> None:
    result = await result_of(api, source_registry.host, **account(source_registry))
    assert result == {
        "ok": True,
        "message": f"{source_registry.host} answers and accepts the account.",
        "code": "",
        "hint": "",
        "steps": [{"name": name, "result": "done"} for name in ("reach", "signIn", "answer")],
    }


async def test_a_wrong_password_is_reported(api: Api, source_registry: Registry) -> None:
    wrong = {**account(source_registry), "password": SECRET}
    result = await result_of(api, source_registry.host, **wrong)
    assert (result["ok"], result["code"], steps(result)) == (False, "source_denied", ["done", "failed", "skipped"])
    assert result["hint"]
    assert SECRET not in json.dumps(result)


async def test_a_registry_that_asks_for_an_account_and_has_none_stored(api: Api, source_registry: Registry) -> None:
    result = await result_of(api, source_registry.host)
    assert (result["code"], steps(result)) == ("source_denied", ["done", "failed", "skipped"])


async def test_a_registry_that_asks_for_no_account(api: Api, source: Source) -> None:
    """The message says whether the stored account was tried."""
    registry_id = await store(api, "open", source.host)
    result = (await run(api, registry_id)).body
    assert (result["ok"], steps(result)) == (True, ["done", "skipped", "done"])
    assert "not tried" not in result["message"]
    await forget_tests(api)
    path = f"{BASE}/image-registries/{registry_id}"
    assert (await api.call("PATCH", path, role=Role.ADMIN, json=ACCOUNT)).status == 200
    result = (await run(api, registry_id)).body
    assert (result["ok"], steps(result)) == (True, ["done", "skipped", "done"])
    assert "not tried" in result["message"]


async def test_nothing_that_is_cached_counts(api: Api, hostile: HostileRegistry) -> None:
    """A password that was accepted a moment ago and is not any more is reported."""
    registry_id = await store(api, "tested", hostile.host, **ACCOUNT)
    hostile.on("GET", "/v2/", BASIC, OK)
    assert (await run(api, registry_id)).body["ok"]
    await forget_tests(api)
    hostile.on("GET", "/v2/", BASIC, BASIC)
    assert (await run(api, registry_id)).body["code"] == "source_denied"
    sent = ["authorization" in asked.headers for asked in hostile.asked]
    assert sent == [False, True, False, True]


async def test_those_who_may_use_the_account_may_test_it(api: Api, hostile: HostileRegistry) -> None:
    hostile.on("GET", "/v2/", BASIC, OK)
    access = {**FOR_ALL, "subjects": ["user:ada"]}
    registry_id = await store(api, "tested", hostile.host, **ACCOUNT, access=access)
    eve = await run(api, registry_id, token=await api.token("eve"))
    assert (eve.status, eve.code) == (403, "forbidden")
    assert "robot" not in str(eve.body)
    assert hostile.asked == []
    assert (await run(api, registry_id, token=await api.token("ada"))).body["ok"]


async def test_without_a_list_admins_alone_test(api: Api, hostile: HostileRegistry) -> None:
    registry_id = await store(api, "tested", hostile.host, **ACCOUNT, access=None)
    for role in (Role.USER, Role.WORKER):
        answer = await run(api, registry_id, role=role)
        assert (answer.status, answer.code) == (403, "forbidden")
    assert hostile.asked == []
    assert (await run(api, registry_id)).status == 200


@pytest.mark.parametrize("registry_id", ["7", "0", "abc", "-1", 25 * "9"])
async def test_an_unknown_id_is_not_found(api: Api, registry_id: str) -> None:
    answer = await api.call("POST", f"{BASE}/image-registries/{registry_id}:test", role=Role.ADMIN)
    assert (answer.status, answer.code) == (404, "registry_not_found")


async def test_a_host_is_tested_once_at_a_time_and_not_again_at_once(api: Api, hostile: HostileRegistry) -> None:
    """The limit is the host's: it holds for a registry that is deleted and stored again."""
    hostile.on("GET", "/v2/", replace(OK, wait=0.5))
    registry_id = await store(api, "tested", hostile.host)
    answers = await asyncio.gather(*(run(api, registry_id) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 429, 429, 429, 429]
    assert len(hostile.asked) == 1
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.code == "registry_test_limited"
    assert 0 < int(refused.headers["Retry-After"]) <= probe.INTERVAL
    await api.call("DELETE", f"{BASE}/image-registries/{registry_id}", role=Role.ADMIN)
    again = await run(api, await store(api, "again", hostile.host))
    assert (again.status, len(hostile.asked)) == (429, 1)


async def test_the_limit_holds_for_all_instances(
    api: Api, open_api: OpenApi, settings: Settings, hostile: HostileRegistry
) -> None:
    hostile.on("GET", "/v2/", OK)
    registry_id = await store(api, "tested", hostile.host)
    assert (await run(api, registry_id)).status == 200
    async with open_api(settings) as other:
        assert (await run(other, registry_id)).code == "registry_test_limited"
    assert len(hostile.asked) == 1


async def test_a_password_is_guessed_a_few_times_an_hour(api: Api, hostile: HostileRegistry) -> None:
    hostile.on("GET", "/v2/", OK)
    registry_id = await store(api, "tested", hostile.host)
    for _ in range(probe.PER_HOUR - 1):
        await api.execute(
            "INSERT INTO registry_tests (host, tested_at) VALUES ($1, now() - interval '50 minutes')", hostile.host
        )
    assert (await run(api, registry_id)).status == 200
    await api.execute("UPDATE registry_tests SET tested_at = now() - interval '1 minute'")
    assert (await run(api, registry_id)).code == "registry_test_limited"
    await api.execute("UPDATE registry_tests SET tested_at = now() - interval '61 minutes'")
    assert (await run(api, registry_id)).status == 200
    assert await api.value("SELECT count(*) FROM registry_tests") == 1


async def test_a_network_is_not_searched(api: Api, hostile: HostileRegistry) -> None:
    """All hosts together have a limit, too."""
    add = "INSERT INTO registry_tests (host) SELECT n || '.example.com' FROM generate_series(1, $1) AS n"
    await api.execute(add, probe.PER_MINUTE)
    registry_id = await store(api, "tested", hostile.host)
    assert (await run(api, registry_id)).code == "registry_test_limited"
    assert hostile.asked == []


async def test_a_registry_that_is_not_there(api: Api) -> None:
    result = await result_of(api, "127.0.0.1:1", **ACCOUNT)
    assert (result["code"], steps(result)) == ("source_unreachable", ["failed", "skipped", "skipped"])


async def test_an_address_that_may_not_be_called_is_not_called(
    open_api: OpenApi, settings: Settings, hostile: HostileRegistry
) -> None:
    """The policy for sources holds."""
    strict = replace(NetworkPolicy.of(), plain_http=settings.shared.source_network.plain_http)
    async with open_api(replace(settings, shared=replace(settings.shared, source_network=strict))) as api:
        result = await result_of(api, hostile.host, **ACCOUNT)
    assert (result["code"], steps(result)) == ("source_host_refused", ["failed", "skipped", "skipped"])
    assert hostile.connections == 0


async def test_a_certificate_that_nothing_vouches_for(open_api: OpenApi, settings: Settings, tmp_path: Path) -> None:
    """The account is not sent."""
    secure = replace(settings.shared.source_network, plain_http=frozenset())
    tls = Authority(tmp_path).self_signed_server("alone").context()
    async with (
        HostileRegistry(tls=tls) as server,
        open_api(replace(settings, shared=replace(settings.shared, source_network=secure))) as api,
    ):
        result = await result_of(api, server.host, **ACCOUNT)
        assert (result["code"], steps(result)) == ("source_tls_failed", ["failed", "skipped", "skipped"])
        assert server.asked == []


@pytest.mark.parametrize(
    ("answer", "code", "taken"),
    [
        (Scripted(status=404), "source_protocol_error", ["done", "skipped", "failed"]),
        (Scripted(status=500), "source_unavailable", ["done", "skipped", "failed"]),
        (Scripted(status=429), "source_rate_limited", ["done", "skipped", "failed"]),
        (Scripted(status=401), "source_denied", ["done", "failed", "skipped"]),
        (Scripted(reset=True, length=None), "source_unreachable", ["failed", "skipped", "skipped"]),
    ],
    ids=["no registry", "broken", "busy", "no challenge", "reset"],
)
async def test_a_registry_that_does_not_answer_as_one(
    api: Api, hostile: HostileRegistry, answer: Scripted, code: str, taken: list[str]
) -> None:
    if answer.reset:
        answer = replace(answer, raw=b"HTTP/1.1 2")
    hostile.on("GET", "/v2/", answer)
    result = await result_of(api, hostile.host, **ACCOUNT)
    assert (result["ok"], steps(result)) == (False, taken)
    assert result["code"] == code or (answer.reset and result["code"].startswith("source_"))


async def test_a_redirect_takes_the_account_nowhere(api: Api, hostile: HostileRegistry) -> None:
    """A host that may not be called is not called, be it the target of a redirect or a token service."""
    other = HostileRegistry()
    other.address = "127.0.0.2"
    async with other:
        hostile.on("GET", "/v2/", BASIC, Scripted(status=307, headers={"Location": f"https://{other.host}/v2/"}))
        registry_id = await store(api, "tested", hostile.host, **ACCOUNT)
        result = (await run(api, registry_id)).body
        assert (result["ok"], result["code"]) == (False, "source_host_refused")
        await forget_tests(api)
        bearer = f'Bearer realm="https://{other.host}/token"'
        hostile.on("GET", "/v2/", Scripted(status=401, headers={"WWW-Authenticate": bearer}))
        result = (await run(api, registry_id)).body
        assert (result["code"], steps(result)) == ("source_host_refused", ["done", "failed", "skipped"])
        assert other.connections == 0


@pytest.mark.parametrize("stage", ["head", "challenge", "token"])
async def test_a_slow_registry_ends_the_test_within_seconds(
    api: Api, hostile: HostileRegistry, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """Before its answer, while it drips the body of a challenge, and as a token service."""
    monkeypatch.setattr(probe, "DEADLINE", 1.0)
    bearer = {"WWW-Authenticate": f'Bearer realm="http://{hostile.host}/token"'}
    hostile.on("GET", "/token", Scripted(drips=True, length=100_000))
    challenge = Scripted(status=401, headers=bearer)
    slow = {
        "head": Scripted(wait=30),
        "challenge": replace(challenge, drips=True, length=100_000),
        "token": challenge,
    }
    hostile.on("GET", "/v2/", slow[stage])
    async with asyncio.timeout(30):
        result = await result_of(api, hostile.host, **ACCOUNT)
    failed = ["failed", "skipped", "skipped"] if stage == "head" else ["done", "failed", "skipped"]
    assert (result["code"], steps(result)) == ("source_stalled", failed)


@pytest.mark.parametrize("status", [200, 401, 500])
async def test_an_endless_answer_is_not_read(api: Api, hostile: HostileRegistry, status: int) -> None:
    hostile.on("GET", "/v2/", Scripted(status=status, endless=True, length=None))
    result = await result_of(api, hostile.host, **ACCOUNT)
    assert result["ok"] is (status == 200)
    assert max(hostile.sent.values()) < 64 * 1024 * 1024


async def test_a_registry_that_repeats_the_password_does_not_show_it(api: Api, hostile: HostileRegistry) -> None:
    """Neither the password nor the header, to the user or in the log."""
    echo = json.dumps({"errors": [{"code": "DENIED", "message": f"not robot:{SECRET}"}]}).encode()
    hostile.on("GET", "/v2/", BASIC, Scripted(status=403, body=echo))
    result = await result_of(api, hostile.host, **ACCOUNT)
    assert (result["code"], steps(result)) == ("source_denied", ["done", "failed", "skipped"])
    assert SECRET not in json.dumps(result)


async def test_an_account_that_cannot_be_opened_is_reported(api: Api, hostile: HostileRegistry) -> None:
    """The host is not called."""
    registry_id = await store(api, "tested", hostile.host, **ACCOUNT)
    await api.execute("UPDATE source_registries SET password = 'x'")
    result = (await run(api, registry_id)).body
    assert (result["code"], steps(result)) == ("credentials_unreadable", ["skipped", "failed", "skipped"])
    assert hostile.asked == []
