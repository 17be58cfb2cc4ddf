"""Caches the OIDC issuer's signature keys: refreshes them at intervals, and keeps them while the issuer is unreachable.

Why: docs/decisions/0008.
"""

import asyncio
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from joserfc.errors import SecurityWarning
from joserfc.jwk import JWKRegistry, Key, RSAKey

from api_service.auth.issuer_documents import IssuerError, fetch_jwks
from api_service.auth.oidc_settings import OidcSettings
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.http_client.session import Outgoing
from shared.runtime.condition import Condition

# A key that the issuer has withdrawn is trusted at most this long. Seconds.
REFRESH_INTERVAL = 300.0
# Between two fetches: tokens that name random keys must not become load for the issuer. Seconds.
MIN_INTERVAL = 10.0
# Keys are trusted this long while the issuer is unreachable; its tokens should have expired by then. Seconds.
MAX_AGE = 24 * 3_600.0
# RFC 7518, 3.3. Bits.
MIN_RSA_BITS = 2048

_KEY_TYPES: Mapping[str, str] = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


class IssuerKeys:
    """Finds the key that a token names; an unknown key causes a fetch, one at a time."""

    def __init__(self, outgoing: Outgoing, settings: OidcSettings) -> None:
        self._outgoing = outgoing
        self._settings = settings
        self._keys: tuple[Key, ...] = ()
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._lock = asyncio.Lock()
        self._condition = Condition("oidc")

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        """Return the key, None if the issuer has no such key; raises `oidc_unavailable`."""
        found = self._find(kid, algorithm)
        if found is None:
            await self._refresh()
            found = self._find(kid, algorithm)
        if found is None and self._condition.trouble:
            raise LongshoreError(
                Code.OIDC_UNAVAILABLE, "The identity provider's keys cannot be fetched.", retry_after=MIN_INTERVAL
            )
        return found

    async def run(self) -> None:
        """Fetch the keys at intervals until cancelled."""
        while True:
            await self._refresh()
            await asyncio.sleep(MIN_INTERVAL if self._condition.trouble else REFRESH_INTERVAL)

    def _find(self, kid: str | None, algorithm: str) -> Key | None:
        """Return the key; a token may omit its id if only one key fits (RFC 7515, 4.1.4)."""
        if _now() - self._fetched_at > MAX_AGE:
            return None
        fitting = [key for key in self._keys if _fits(key, algorithm) and kid in (None, key.kid)]
        return fitting[0] if len(fitting) == 1 or (fitting and kid is not None) else None

    async def _refresh(self) -> None:
        """Fetch the keys, unless the last try is less than MIN_INTERVAL ago; concurrent callers share its outcome."""
        async with self._lock:
            if _now() - self._tried_at < MIN_INTERVAL:
                return
            self._tried_at = _now()
            try:
                keys = tuple(_usable(await fetch_jwks(self._outgoing, self._settings)))
            except IssuerError as error:
                self._condition.down(error)
            else:
                self._keys = keys
                self._fetched_at = _now()
                self._condition.up()


def _usable(published: Iterable[Mapping[str, Any]]) -> Iterable[Key]:
    """Yield the signature keys of supported types; a broken key does not affect the others."""
    for document in published:
        if document.get("kty") not in _KEY_TYPES.values() or document.get("use", "sig") != "sig":
            continue
        try:
            key = _read_key(document)
        except Exception:  # noqa: BLE001, S112 - the issuer chooses the key, and so the exception
            continue
        if not isinstance(key, RSAKey) or key.raw_value.key_size >= MIN_RSA_BITS:
            yield key


def _read_key(document: Mapping[str, Any]) -> Key:
    with warnings.catch_warnings():
        # It warns of short keys, which are skipped anyway.
        warnings.simplefilter("ignore", SecurityWarning)
        return JWKRegistry.import_key(dict(document))


def _fits(key: Key, algorithm: str) -> bool:
    return key.key_type == _KEY_TYPES[algorithm[:2]] and key.alg in (None, algorithm)


def _now() -> float:
    return asyncio.get_running_loop().time()
