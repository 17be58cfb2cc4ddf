"""Fetches an OIDC issuer's published documents: its configuration (OIDC Discovery 4) and its keys (RFC 7517)."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from api_service.auth.oidc_settings import OidcSettings, is_allowed_url
from shared.http_client.session import Outgoing
from shared.network.guard import Calling
from shared.network.hosts import HostPort
from shared.network.policy import HTTPS_PORT
from shared.runtime.strict_json import load_object

# For both documents together, because a request may wait for the keys. Seconds.
FETCH_TIMEOUT = 4.0
# Issuers' documents have a few kilobytes; a key with its certificate chain about five. Bytes.
MAX_DOCUMENT = 256 * 1024
# Issuers publish two or three, some services one for each tenant.
MAX_KEYS = 100
_OK = 200


class IssuerError(Exception):
    """The issuer's documents cannot be fetched or are invalid; the text is for the operator."""


async def fetch_jwks(outgoing: Outgoing, settings: OidcSettings) -> list[dict[str, Any]]:
    """Return the issuer's keys as published; raises IssuerError."""
    with _readable_issuer():
        async with asyncio.timeout(FETCH_TIMEOUT):
            url = settings.jwks_url or await _discover(outgoing, settings)
            document = await _get_document(outgoing, url)
    keys = document.get("keys")
    if not isinstance(keys, list):
        raise IssuerError("its key set has no list of keys")
    return [key for key in keys[:MAX_KEYS] if isinstance(key, dict)]


@contextmanager
def _readable_issuer() -> Iterator[None]:
    """Turn whatever the issuer's answers raise into IssuerError: a broken document must not end the refreshing."""
    try:
        yield
    except IssuerError:
        raise
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise IssuerError(f"it cannot be reached: {type(error).__name__}") from error
    except Exception as error:
        raise IssuerError(f"its documents cannot be read: {type(error).__name__}") from error


async def _discover(outgoing: Outgoing, settings: OidcSettings) -> str:
    """Return the keys' address; the document must name the configured issuer (OIDC Discovery 4.3)."""
    document = await _get_document(outgoing, f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration")
    if document.get("issuer") != settings.issuer:
        raise IssuerError("its configuration names another issuer than OIDC_ISSUER")
    url = document.get("jwks_uri")
    if not isinstance(url, str) or not is_allowed_url(url, outgoing.policy):
        raise IssuerError("its configuration has no jwks_uri that may be called: https, or a host in PLAIN_HTTP_HOSTS")
    return url


async def _get_document(outgoing: Outgoing, url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    host = HostPort.parse(parts.netloc)
    tls = outgoing.tls.context(host.host, host.port or HTTPS_PORT)
    with Calling(host.host):
        # A redirect could lead to any host; published addresses need none.
        async with outgoing.http.get(url, ssl=tls, allow_redirects=False) as response:
            if response.status != _OK:
                raise IssuerError(f"it answers {response.status} at {parts.path}")
            content = await _read(response)
    try:
        return load_object(content)
    except ValueError as error:
        raise IssuerError(f"its document at {parts.path} cannot be read: {error}") from None


async def _read(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for part in response.content.iter_any():
        content += part
        if len(content) > MAX_DOCUMENT:
            raise IssuerError(f"its document has more than {MAX_DOCUMENT} bytes")
    return bytes(content)
