"""GET /whoami."""

from dataclasses import replace

import pytest

from api_service.settings import Settings
from shared.model.roles import Role
from tests.api_service.api import Api
from tests.api_service.auth.oidc_issuer import Issuer
from tests.api_service.conftest import OpenApi


@pytest.mark.parametrize("role", Role)
async def test_a_token_gets_its_user_and_role(api: Api, role: Role) -> None:
    """Every role may call it, so that a user with the wrong token can find that out."""
    token = await api.token("alice", role)
    answer = await api.get("/whoami", token=token)
    token_id = answer.pop("tokenId")
    assert answer == {
        "userName": "alice",
        "role": role.value,
        "issuer": "",
        "subject": "alice",
        "groups": [],
        "expiresTime": None,
    }
    assert await api.value("SELECT user_name FROM api_tokens WHERE id = $1", token_id) == "alice"


async def test_a_jwt_gets_the_role_that_its_claims_are_mapped_to(
    open_api: OpenApi, settings: Settings, issuer: Issuer
) -> None:
    token = issuer.token("bob", sub="s-7", roles=["longshore-admin"], groups=["b", "a"], exp=4_000_000_000, iat=None)
    async with open_api(replace(settings, oidc=issuer.settings(max_token=10**10))) as api:
        assert await api.get("/whoami", token=token) == {
            "userName": "bob",
            "role": "admin",
            "issuer": issuer.url,
            "subject": "s-7",
            "groups": ["a", "b"],
            "tokenId": None,
            "expiresTime": "2096-10-02T07:06:40.000Z",
        }
