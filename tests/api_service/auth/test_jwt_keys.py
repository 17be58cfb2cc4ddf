"""The issuer's keys: fetched by one request for all callers, seldom and safely, and kept while the issuer is down."""

import asyncio
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from joserfc.jwk import RSAKey

from api_service.auth import issuer_documents, issuer_keys
from api_service.settings import Settings
from tests.api_service.api import Api
from tests.api_service.auth.oidc_issuer import LIST, Issuer, answer_to, refusal, rsa_key
from tests.api_service.conftest import OpenApi


@pytest.fixture
async def api(jwt_api: Api) -> Api:
    return jwt_api


async def test_random_key_names_do_not_hammer_the_issuer(api: Api, issuer: Issuer) -> None:
    """There is a minimum interval between two fetches, whatever the tokens contain."""
    assert (await answer_to(api, issuer.token())).status == 200
    asked = len(issuer.asked)
    codes = await asyncio.gather(*(refusal(api, issuer.token(header={"kid": f"k{n}"})) for n in range(50)))
    assert set(codes) == {"unauthenticated"}
    assert len(issuer.asked) == asked == 2


async def test_requests_at_once_share_one_fetch(open_api: OpenApi, settings: Settings, issuer: Issuer) -> None:
    issuer.delay = 0.2
    async with open_api(replace(settings, oidc=issuer.settings())) as api:
        answers = await asyncio.gather(*(answer_to(api, issuer.token()) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_a_new_key_is_found_and_a_withdrawn_one_is_forgotten(
    api: Api, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = issuer.token()
    assert (await answer_to(api, old)).status == 200
    issuer.keys = [rsa_key("two")]
    assert await refusal(api, issuer.token()) == "unauthenticated"
    monkeypatch.setattr(issuer_keys, "MIN_INTERVAL", 0)
    assert (await answer_to(api, issuer.token())).status == 200
    assert await refusal(api, old) == "unauthenticated"


async def test_known_keys_work_while_the_issuer_is_away(
    api: Api, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token with an unknown key cannot be checked: 503, not 401. After a day, the API trusts no key."""
    assert (await answer_to(api, issuer.token())).status == 200
    issuer.down = True
    monkeypatch.setattr(issuer_keys, "MIN_INTERVAL", 0)
    assert (await answer_to(api, issuer.token(header={"kid": "new"}))).status == 503
    assert (await answer_to(api, issuer.token())).status == 200
    monkeypatch.setattr(issuer_keys, "MAX_AGE", -1)
    answer = await answer_to(api, issuer.token())
    assert (answer.status, answer.code) == (503, "oidc_unavailable")


async def test_keys_are_fetched_anew_now_and_then(
    open_api: OpenApi, settings: Settings, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A withdrawn key becomes invalid even if no token names another one."""
    monkeypatch.setattr(issuer_keys, "MIN_INTERVAL", 0)
    monkeypatch.setattr(issuer_keys, "REFRESH_INTERVAL", 0.02)
    async with open_api(replace(settings, oidc=issuer.settings())) as api:
        token = issuer.token()
        assert (await answer_to(api, token)).status == 200
        issuer.keys = [rsa_key("two")]
        async with asyncio.timeout(10):
            while (await answer_to(api, token)).status == 200:
                pass


def configuration(**fields: Any) -> web.Response:
    return web.json_response(fields)


BROKEN: dict[str, Callable[[Issuer], dict[str, web.Response]]] = {
    "another issuer's configuration": lambda issuer: {
        "/.well-known/openid-configuration": configuration(issuer="https://x.example", jwks_uri=f"{issuer.url}/keys")
    },
    "no address of keys": lambda issuer: {"/.well-known/openid-configuration": configuration(issuer=issuer.url)},
    "an address without TLS": lambda issuer: {
        "/.well-known/openid-configuration": configuration(issuer=issuer.url, jwks_uri="http://keys.example/keys")
    },
    "an address that is a file": lambda issuer: {
        "/.well-known/openid-configuration": configuration(issuer=issuer.url, jwks_uri="file:///etc/passwd")
    },
    "a private address": lambda issuer: {
        "/.well-known/openid-configuration": configuration(issuer=issuer.url, jwks_uri="https://169.254.169.254/keys")
    },
    "a redirect": lambda issuer: {
        "/keys": web.Response(status=302, headers={"Location": f"{issuer.url}/elsewhere"}),
    },
    "no JSON": lambda _: {"/keys": web.Response(text="<html>")},
    "no list": lambda _: {"/keys": web.json_response({"keys": {}})},
    "a long document": lambda _: {"/keys": web.Response(body=b" " * (issuer_documents.MAX_DOCUMENT + 1))},
    "an error": lambda _: {"/keys": web.Response(status=500)},
}


@pytest.mark.parametrize("trouble", BROKEN)
async def test_an_issuer_that_is_not_in_order_is_a_503(
    open_api: OpenApi, settings: Settings, issuer: Issuer, trouble: str
) -> None:
    """The caller is not at fault; API tokens still work."""
    issuer.answers = BROKEN[trouble](issuer)
    async with open_api(replace(settings, oidc=issuer.settings())) as api:
        answer = await answer_to(api, issuer.token())
        assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "oidc_unavailable", "10")
        assert "/elsewhere" not in issuer.asked
        assert (await api.call("GET", LIST)).status == 200


async def test_an_issuer_that_drips_is_left_in_time(
    open_api: OpenApi, settings: Settings, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_documents, "FETCH_TIMEOUT", 0.2)
    issuer.delay = 5
    async with open_api(replace(settings, oidc=issuer.settings())) as api, asyncio.timeout(3):
        assert (await answer_to(api, issuer.token())).code == "oidc_unavailable"


ODD_KEYS: list[Any] = [
    {"kty": "oct", "kid": "one", "k": "c2VjcmV0"},
    {"kty": "RSA", "kid": "one"},
    {"kty": "RSA", "kid": "one", "n": "AQ", "e": "AQAB"},
    {"kty": "RSA", "kid": "one", "n": "!", "e": []},
    {"kty": "EC", "kid": "one", "crv": "P-256", "x": "AA", "y": "AA"},
    {"kty": "EC", "kid": "one", "crv": "secp999", "x": "AA", "y": "AA"},
    {"kty": "OKP", "kid": "one", "crv": "Ed25519", "x": ""},
    {"kty": ["RSA"], "kid": "one"},
    {"kid": "one"},
    {"kty": "RSA", "kid": 1, "n": "AQ", "e": "AQAB"},
    {"kty": "RSA", "use": "strange", "key_ops": ["verify"], "n": "AQ", "e": "AQAB"},
    "text",
    None,
]


async def test_broken_keys_do_not_spoil_the_good_one(open_api: OpenApi, settings: Settings, issuer: Issuer) -> None:
    """The API skips malformed, symmetric, short and unnamed keys, whatever error they cause."""
    good = issuer.keys[0].as_dict(private=False)
    issuer.answers["/keys"] = web.json_response({"keys": [*ODD_KEYS, good]})
    async with open_api(replace(settings, oidc=issuer.settings())) as api:
        assert (await answer_to(api, issuer.token())).status == 200
    assert issuer.answers == {}


async def test_a_short_key_signs_nothing(open_api: OpenApi, settings: Settings, issuer: Issuer) -> None:
    """RSA keys have at least 2048 bits (RFC 7518, 3.3)."""
    short = rsa_key_1024()
    issuer.keys = [short]
    async with open_api(replace(settings, oidc=issuer.settings())) as api:
        assert await refusal(api, issuer.token(key=short)) == "unauthenticated"


def rsa_key_1024() -> RSAKey:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return rsa_key("short", bits=1024)
