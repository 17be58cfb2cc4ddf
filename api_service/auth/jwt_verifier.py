"""Verifies tokens (JWT) that an OIDC issuer has signed."""

import binascii
import time
from base64 import urlsafe_b64decode
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError

from api_service.auth.identity import Identity
from api_service.auth.issuer_keys import IssuerKeys
from api_service.auth.jwt_claims import check_claims, identity_of, refused
from api_service.auth.oidc_settings import OidcSettings
from shared.runtime.strict_json import load_object

# Types of tokens that identify a user (RFC 7519, RFC 9068). Other tokens of the issuer, such as logout tokens, have the
# same signature and must be refused (RFC 8725, 3.11).
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})


class JwtVerifier:
    """Verifies signature and claims. The keys and addresses in a token's header (jwk, jku, x5u, x5c) are never used."""

    def __init__(self, settings: OidcSettings, keys: IssuerKeys) -> None:
        self._settings = settings
        self._keys = keys
        # Strict about the header's known fields; unknown ones are ignored.
        self._registry = jws.JWSRegistry(algorithms=settings.algorithms, strict_check_header=False)

    async def identify(self, token: str) -> Identity:
        """Return the token's user and role; raises `unauthenticated`, `token_expired`, `oidc_unavailable`."""
        claims = await self._verified(token)
        check_claims(claims, self._settings, time.time())
        return identity_of(claims, self._settings)

    async def _verified(self, token: str) -> dict[str, Any]:
        """Return the claims, whose signature is the issuer's."""
        header = _read_header(token)
        algorithm = self._check_header(header)
        key = await self._keys.find(header.get("kid"), algorithm)
        if key is None:
            raise refused("The issuer has no such key.")
        try:
            content = jws.deserialize_compact(token, key, registry=self._registry).payload
            return load_object(content)
        except (JoseError, ValueError, RecursionError):
            raise refused("Its signature or form is wrong.") from None

    def _check_header(self, header: dict[str, Any]) -> str:
        """Return the algorithm, which must be an allowed one, independently of the key."""
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in self._settings.algorithms:
            raise refused("Its algorithm is not allowed.")
        if "crit" in header:
            raise refused("It demands extensions that are not supported here.")
        kind = header.get("typ", "JWT")
        if not isinstance(kind, str) or kind.lower() not in _TYPES:
            raise refused("It is of another type.")
        if not isinstance(header.get("kid"), str | None):
            raise refused("Its key id is not a text.")
        return algorithm


def looks_like_jwt(token: str) -> bool:
    """Return whether the token has a JWT's three parts, separated by dots; an API token has no dot."""
    return token.count(".") == 2  # noqa: PLR2004 - RFC 7515, 3.1


def _read_header(token: str) -> dict[str, Any]:
    encoded = token.partition(".")[0]
    try:
        return load_object(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, binascii.Error):
        raise refused("Its header cannot be read.") from None
