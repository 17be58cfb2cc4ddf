"""GET /whoami."""

import pytest

from shared.model.roles import Role
from tests.api_service.api import Api
from tests.api_service.auth.oidc_issuer import Issuer


@pytest.mark.parametrize("role", Role)
async def test_a_token_gets_its_user_and_role(api: Api, role: Role) -> None:
    """Every role may call it, so that a user with the wrong token can find that out."""
    token = await api.token("alice", role)
    assert await api.get("/whoami", token=token) == {"userName": "alice", "role": role.value}


async def test_a_jwt_gets_the_role_that_its_claims_are_mapped_to(jwt_api: Api, issuer: Issuer) -> None:
    answer = await jwt_api.get("/whoami", token=issuer.token("bob", roles=["longshore-admin"]))
    assert answer == {"userName": "bob", "role": "admin"}
