"""Validates the claims of an issuer's token (RFC 7519, OIDC Core 3.1.3.7) and maps them to an identity. Pure."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from api_service.auth.identity import (
    MAX_GROUP_LENGTH,
    MAX_GROUPS,
    MAX_SUBJECT_LENGTH,
    MAX_USER_LENGTH,
    Identity,
)
from api_service.auth.oidc_settings import OidcSettings
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.owner import LONGSHORE
from shared.model.roles import Role

# Allowed difference between the issuer's clock and ours. Seconds.
LEEWAY = 30.0
# The only claim that is a list in one text, separated by spaces (RFC 8693, 4.2).
_SPACE_SEPARATED = "scope"
# The name for display (OIDC Core 5.1: not unique, and the user may change it).
_NAME = "preferred_username"
_ELLIPSIS = "…"


def check_claims(claims: Mapping[str, Any], settings: OidcSettings, now: float) -> None:
    """Raise `token_expired`, or `unauthenticated`: another issuer or audience, too long a lifetime, or not valid yet.

    `now` is in Unix seconds.
    """
    if claims.get("iss") != settings.issuer:
        raise refused("It is another issuer's.")
    audience = claims.get("aud")
    if settings.audience not in (audience if isinstance(audience, list) else [audience]):
        raise refused("It is made for another audience.")
    ends = _time(claims, "exp", required=True)
    if now - LEEWAY >= ends:
        raise LongshoreError(Code.TOKEN_EXPIRED, "The token has expired.")
    for claim in ("nbf", "iat"):
        if _time(claims, claim) > now + LEEWAY:
            raise refused("It is not valid yet.")
    _check_lifetime(ends, claims, settings, now)


def identity_of(claims: Mapping[str, Any], settings: OidcSettings) -> Identity:
    """Return the token's user, role and groups; raises `unauthenticated` if the token names no user."""
    named = _named_by_claim if settings.user_claim else _named_by_sub
    issuer, subject, user = named(claims, settings)
    return Identity(
        user=user,
        role=_role(claims, settings),
        issuer=issuer,
        subject=subject,
        groups=_groups(claims, settings),
        expires_at=_moment(claims),
    )


def _check_lifetime(ends: float, claims: Mapping[str, Any], settings: OidcSettings, now: float) -> None:
    """Refuse a token that is valid for longer than the setting: since its issue, or from now on if it has no `iat`."""
    issued = _time(claims, "iat")
    lifetime = ends - (now if issued == -math.inf else issued)
    if lifetime > settings.max_token:
        raise refused(
            f"It is valid for {math.ceil(lifetime)} seconds, and {settings.max_token} are allowed "
            "(OIDC_MAX_TOKEN_SECONDS): ask the identity provider for one with a shorter lifetime."
        )


def _named_by_sub(claims: Mapping[str, Any], settings: OidcSettings) -> tuple[str, str, str]:
    """Return issuer, subject and name: `iss` and `sub` never change or pass to another user (OIDC Core 5.7)."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject.isprintable() or not 0 < len(subject) <= MAX_SUBJECT_LENGTH:
        raise refused(f"Its `sub` is no text of 1 to {MAX_SUBJECT_LENGTH} printable characters.")
    if _NAME in claims:
        return settings.issuer, subject, _user(claims[_NAME])
    fits = len(subject) <= MAX_USER_LENGTH
    return settings.issuer, subject, subject if fits else subject[: MAX_USER_LENGTH - 1] + _ELLIPSIS


def _named_by_claim(claims: Mapping[str, Any], settings: OidcSettings) -> tuple[str, str, str]:
    """Return the user that an API token with the claim's value names, too; `sub` stands for a claim that is missing."""
    user = _user(claims.get(settings.user_claim or "sub", claims.get("sub")))
    return LONGSHORE, user, user


def _user(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= MAX_USER_LENGTH:
        raise refused(f"It names no user of 1 to {MAX_USER_LENGTH} printable characters.")
    return value


def _role(claims: Mapping[str, Any], settings: OidcSettings) -> Role:
    values = _values(claims, settings.roles_claim) if settings.roles_claim else frozenset()
    if values & settings.admin_values:
        return Role.ADMIN
    return Role.WORKER if values & settings.worker_values else Role.USER


def _groups(claims: Mapping[str, Any], settings: OidcSettings) -> frozenset[str]:
    """Return the groups' names; a value that is no name, which no rule can have, is left out."""
    values = _values(claims, settings.groups_claim) if settings.groups_claim else frozenset()
    groups = frozenset(value for value in values if 0 < len(value) <= MAX_GROUP_LENGTH and value.isprintable())
    if len(groups) > MAX_GROUPS:
        raise refused(f"It names {len(groups)} groups, and {MAX_GROUPS} are allowed.")
    return groups


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


def _moment(claims: Mapping[str, Any]) -> datetime:
    """Return the token's end."""
    try:
        return datetime.fromtimestamp(_time(claims, "exp", required=True), UTC)
    except (ValueError, OverflowError, OSError):
        raise refused("Its `exp` is not a time.") from None


def refused(reason: str) -> LongshoreError:
    """Return the error for an invalid token; the reason is a sentence."""
    return LongshoreError(Code.UNAUTHENTICATED, f"The token is not accepted. {reason}")
