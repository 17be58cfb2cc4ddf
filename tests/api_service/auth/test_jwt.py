"""JWTs of a configured OIDC issuer: their identities, and all known forgeries."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import ECKey, Key, OKPKey

from api_service.auth.jwt_claims import LEEWAY
from api_service.settings import Settings
from shared.messages.progress_report import ProgressReport, ReportedState
from shared.model.image_content import ImageContent
from shared.model.roles import Role
from tests.api_service.api import BASE, Api
from tests.api_service.auth.forgeries import FORGERIES
from tests.api_service.auth.oidc_issuer import LIST, Issuer, answer_to, refusal, rsa_key
from tests.api_service.conftest import OpenApi

A = "sha256:" + 64 * "a"
CONTENT = ImageContent(
    source_digest=A, digest=A, size=1, architecture="amd64", os="linux", platforms=(), include_type="full"
)
REPORT = f"{BASE}/images:import/x/progress"


@pytest.fixture
async def api(jwt_api: Api) -> Api:
    return jwt_api


async def test_a_good_token_speaks_for_its_user(api: Api, issuer: Issuer, image_source: str) -> None:
    """The user's imports belong to the name in preferred_username."""
    started = await api.start({"source": image_source}, token=issuer.token("ada"))
    image = await api.get(f"/images/{started['imageId']}", token=issuer.token("bob"))
    assert image["userName"] == "ada"


async def test_api_tokens_go_on_working_beside_an_issuer(api: Api) -> None:
    assert (await api.call("GET", LIST, role=Role.USER)).status == 200


async def test_without_an_issuer_a_jwt_is_an_unknown_token(open_api: OpenApi, settings: Settings) -> None:
    async with Issuer().running() as issuer, open_api(settings) as api:
        assert await refusal(api, issuer.token()) == "unauthenticated"
        assert issuer.asked == []


async def test_a_user_without_the_claim_is_known_by_sub(api: Api, issuer: Issuer, image_source: str) -> None:
    token = issuer.token(preferred_username=None, sub="service-7")
    started = await api.start({"source": image_source}, token=token)
    assert (await api.get(f"/images/{started['imageId']}"))["userName"] == "service-7"


ROBOT = frozenset({"robot"})


@pytest.mark.parametrize(
    ("mapping", "claims", "is_worker"),
    [
        ({}, {"realm_access": {"roles": ["worker", "longshore-worker"]}}, False),
        ({"worker_values": ROBOT}, {"realm_access": {"roles": ["robot"]}}, True),
        ({"worker_values": ROBOT}, {"realm_access": {"roles": ["human"]}}, False),
        ({"worker_values": ROBOT, "roles_claim": "scope"}, {"scope": "openid robot"}, True),
        ({"worker_values": ROBOT, "roles_claim": "group"}, {"group": "no robot"}, False),
        ({"worker_values": ROBOT, "roles_claim": "https://a.b/r"}, {"https://a.b/r": ["robot"]}, True),
        ({"worker_values": ROBOT, "roles_claim": None}, {"roles": ["robot"]}, False),
        ({"worker_values": ROBOT}, {"realm_access": ["robot"]}, False),
        ({"worker_values": ROBOT}, {"realm_access": {"roles": {"robot": 1}}}, False),
        ({"worker_values": ROBOT}, {"realm_access": {"roles": [["robot"], 1]}}, False),
    ],
)
async def test_the_worker_role_needs_a_mapping_of_its_own(  # noqa: PLR0917 - fixtures and cases
    open_api: OpenApi,
    settings: Settings,
    issuer: Issuer,
    mapping: dict[str, Any],
    claims: dict[str, Any],
    is_worker: bool,
) -> None:
    """Claims give only the role user, unless the operator maps exactly this value to another role."""
    token = issuer.token(**claims)
    async with open_api(replace(settings, oidc=issuer.settings(**mapping))) as api:
        report = await api.call("PUT", REPORT, token=token, json={})
        listed = await answer_to(api, token)
    # 400: the API lets the caller in, but the body is not a report.
    assert (listed.status, report.status) == ((403, 400) if is_worker else (200, 403))


async def test_a_mapped_value_makes_an_admin(api: Api, issuer: Issuer, image_source: str) -> None:
    """An admin may replace another user's image; a user may not."""
    started = await api.start({"source": image_source}, token=issuer.token("ada"))
    attempt = (await api.claim(started["name"])).attempt
    await api.report(
        started["name"], ProgressReport(attempt=attempt, sequence=1, state=ReportedState.READY, content=CONTENT)
    )
    again = {"source": image_source, "force": True}
    assert (await api.post_import(again, token=issuer.token("eve"))).code == "forbidden"
    answer = await api.post_import(again, token=issuer.token("eve", roles=["longshore-admin", "other"]))
    assert (answer.status, answer.body["imageId"]) == (200, started["imageId"])


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_token_that_proves_nothing_is_refused(api: Api, issuer: Issuer, forgery: str) -> None:
    """Issuer and audience must match, times must exist, the algorithm must be allowed and the key the issuer's."""
    assert await refusal(api, FORGERIES[forgery](issuer)) == "unauthenticated"


@pytest.mark.parametrize("name", ["jku", "x5u"])
async def test_addresses_in_a_token_are_never_called(api: Api, issuer: Issuer, name: str) -> None:
    """A token that names the address of its key would vouch for itself."""
    async with Issuer(keys=[rsa_key("evil")]).running() as attacker:
        token = issuer.token(key=attacker.keys[0], header={name: f"{attacker.url}/keys"})
        assert await refusal(api, token) == "unauthenticated"
        assert attacker.asked == []


async def test_an_expired_token_is_reported_as_such(api: Api, issuer: Issuer) -> None:
    assert await refusal(api, issuer.token(exp=int(time.time()) - LEEWAY - 5)) == "token_expired"


async def test_clocks_may_be_a_little_apart(api: Api, issuer: Issuer) -> None:
    """The tolerance is at most a minute (RFC 7519, 4.1.4)."""
    assert LEEWAY <= 60
    now = int(time.time())
    token = issuer.token(exp=now - LEEWAY + 10, nbf=now + LEEWAY - 10, iat=now + LEEWAY - 10)
    assert (await answer_to(api, token)).status == 200


async def test_one_audience_of_several_is_enough(api: Api, issuer: Issuer) -> None:
    assert (await answer_to(api, issuer.token(aud=["account", "longshore"]))).status == 200


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "Ed25519"])
async def test_asymmetric_algorithms_are_taken(
    open_api: OpenApi, settings: Settings, issuer: Issuer, algorithm: str
) -> None:
    made: dict[str, Callable[[], Key]] = {
        "ES256": lambda: ECKey.generate_key("P-256", {"kid": "k"}),
        "Ed25519": lambda: OKPKey.generate_key("Ed25519", {"kid": "k"}),
    }
    issuer.keys = [made.get(algorithm, lambda: rsa_key("k"))()]
    async with open_api(replace(settings, oidc=issuer.settings(algorithms=(algorithm,)))) as api:
        assert (await answer_to(api, issuer.token(header={"alg": algorithm}))).status == 200


async def test_a_token_may_leave_the_keys_name_out_where_there_is_one(api: Api, issuer: Issuer) -> None:
    """If two keys fit, the API refuses the token."""
    assert (await answer_to(api, issuer.token(header={"kid": None}))).status == 200


async def test_with_two_matching_keys_no_key_is_chosen(open_api: OpenApi, settings: Settings, issuer: Issuer) -> None:
    issuer.keys.append(rsa_key("two"))
    async with open_api(replace(settings, oidc=issuer.settings())) as api:
        assert (await answer_to(api, issuer.token())).status == 200
        assert await refusal(api, issuer.token(header={"kid": None})) == "unauthenticated"
