"""Validates the claims of an issuer's token (RFC 7519, OIDC Core 3.1.3.7) and maps them to an identity. Pure."""

import math
from collections.abc import Mapping
from typing import Any

from api_service.auth.identity import MAX_USER_LENGTH, Identity
from api_service.auth.oidc_settings import OidcSettings
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.roles import Role

# Allowed difference between the issuer's clock and ours. Seconds.
LEEWAY = 30.0
# The only claim that is a list in one text, separated by spaces (RFC 8693, 4.2).
_SPACE_SEPARATED = "scope"


def check_claims(claims: Mapping[str, Any], settings: OidcSettings, now: float) -> None:
    """Raise `token_expired`, or `unauthenticated` for another issuer or audience, or a token that is not valid yet.

    `now` is in Unix seconds.
    """
    if claims.get("iss") != settings.issuer:
        raise refused("It is another issuer's.")
    audience = claims.get("aud")
    if settings.audience not in (audience if isinstance(audience, list) else [audience]):
        raise refused("It is made for another audience.")
    if now - LEEWAY >= _time(claims, "exp", required=True):
        raise LongshoreError(Code.TOKEN_EXPIRED, "The token has expired.")
    for claim in ("nbf", "iat"):
        if _time(claims, claim) > now + LEEWAY:
            raise refused("It is not valid yet.")


def identity_of(claims: Mapping[str, Any], settings: OidcSettings) -> Identity:
    """Return the token's user and role; raises `unauthenticated` if the token names no user."""
    user = claims.get(settings.user_claim, claims.get("sub"))
    if not isinstance(user, str) or not user.isprintable() or not 0 < len(user) <= MAX_USER_LENGTH:
        raise refused(f"It names no user of 1 to {MAX_USER_LENGTH} printable characters.")
    return Identity(user=user, role=_role(claims, settings))


def _role(claims: Mapping[str, Any], settings: OidcSettings) -> Role:
    values = _values(claims, settings.roles_claim) if settings.roles_claim else frozenset()
    if values & settings.admin_values:
        return Role.ADMIN
    return Role.WORKER if values & settings.worker_values else Role.USER


def _values(claims: Mapping[str, Any], path: str) -> frozenset[str]:
    """Return a claim's values: those of the claim with this name, else of the nested claims along the path."""
    found: Any = claims
    for part in [path] if path in claims else path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    if isinstance(found, str):
        return frozenset(found.split() if path == _SPACE_SEPARATED else [found])
    return frozenset(value for value in found if isinstance(value, str)) if isinstance(found, list) else frozenset()


def _time(claims: Mapping[str, Any], claim: str, *, required: bool = False) -> float:
    """Return a NumericDate; minus infinity for an optional claim that is missing."""
    value = claims.get(claim)
    if value is None and not required:
        return -math.inf
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refused(f"Its `{claim}` is not a time.")
    return float(value)


def refused(reason: str) -> LongshoreError:
    """Return the error for an invalid token; the reason is a sentence."""
    return LongshoreError(Code.UNAUTHENTICATED, f"The token is not accepted. {reason}")
