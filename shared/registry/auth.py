"""Authorises the requests of one account to one registry, as the registry's challenges ask for."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from yarl import URL

from shared.errors.codes import Side
from shared.http_client.boundary import reads_answer
from shared.http_client.failures import Failure
from shared.http_client.request import Reply, authority
from shared.model.credential import Credential
from shared.network.policy import NetworkPolicy
from shared.registry.challenge import Challenge, parse_challenges
from shared.registry.realms import Realm, read_realm
from shared.registry.request import RegistryRequest, Resource
from shared.registry.scopes import Scopes
from shared.registry.tokens import Token, TokenCache, TokenKey

# Bytes of a token service's response.
MAX_TOKEN_SIZE = 1024 * 1024

SendTokenRequest = Callable[[RegistryRequest, str | None], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A registry by its name in references, its base address, and the credential for it."""

    side: Side
    registry: str
    base: URL
    credential: Credential | None


class Authenticator:
    """Makes Authorization headers.

    The first request carries none. The registry's challenge is remembered, so that every later request is authorised
    at once and only the first one costs another round trip.
    """

    def __init__(self, account: Account, tokens: TokenCache, policy: NetworkPolicy, send: SendTokenRequest) -> None:
        self._account = account
        self._tokens = tokens
        self._policy = policy
        self._send = send
        # The registry's latest challenge, without its scope, which belongs to a single request.
        self._challenge: Challenge | None = None
        self.answered = False
        """Whether the registry has accepted a request; without a challenge until then, it needs none."""
        self.note = ""
        """A sentence for an error about denied access: the reason why the credentials were not sent."""

    async def authorization(self, scopes: Scopes) -> str | None:
        """Return the header for a request of these scopes; None before any challenge."""
        if self._challenge is None:
            return None
        if self._challenge.scheme == "basic":
            return self._basic()
        return await self._bearer(self._challenge, scopes, None)

    async def answer(self, challenges: tuple[Challenge, ...], scopes: Scopes, sent: str | None) -> str | None:
        """Return the header that answers a 401, if necessary with a fresh token; None if only `sent` is available."""
        chosen = self._choose(challenges)
        if chosen is None:
            return None
        self._challenge = chosen.without("scope")
        header = self._basic() if chosen.scheme == "basic" else await self._bearer(chosen, scopes, sent)
        return header if header != sent else None

    def secrets(self, sent: str | None) -> tuple[str, ...]:
        """Return the secrets to remove from an error message, which a registry may have copied into its response."""
        credential = self._account.credential
        password = (credential.password,) if credential else ()
        return (*password, sent.partition(" ")[2]) if sent else password

    def _choose(self, challenges: tuple[Challenge, ...]) -> Challenge | None:
        """Prefer Basic if there is a password: it stays on the registry's own host and needs no second request."""
        schemes = ("basic", "bearer") if self._account.credential else ("bearer",)
        offered = {challenge.scheme: challenge for challenge in reversed(challenges)}
        return next((offered[scheme] for scheme in schemes if scheme in offered), None)

    def _basic(self) -> str | None:
        return self._account.credential.basic() if self._account.credential else None

    async def _bearer(self, challenge: Challenge, scopes: Scopes, sent: str | None) -> str:
        rejected = sent.removeprefix("Bearer ") if sent else None
        token = await self._tokens.get(self._key(scopes), lambda: self._fetch(challenge, scopes), rejected=rejected)
        return f"Bearer {token.value}"

    def _key(self, scopes: Scopes) -> TokenKey:
        return TokenKey(str(self._account.base), self._account.credential, scopes)

    async def _fetch(self, challenge: Challenge, scopes: Scopes) -> Token:
        request, with_credential = self._token_request(challenge, scopes)
        requested_at = time.monotonic()
        reply = await self._send(request, self._basic() if with_credential else None)
        return _read_token(request, reply, requested_at)

    def _token_request(self, challenge: Challenge, scopes: Scopes) -> tuple[RegistryRequest, bool]:
        account = self._account
        request = RegistryRequest(
            side=account.side,
            resource=Resource.TOKEN,
            step=f"asking for a token for {authority(account.base)}",
            method="GET",
            url=account.base,
            limit=MAX_TOKEN_SIZE,
        )
        realm = _read_realm(request, challenge, account, self._policy)
        with_credential = realm.trusted and account.credential is not None
        self.note = "" if realm.trusted or not account.credential else _not_sent(account.registry, realm.url)
        sent = account.credential if with_credential else None
        return replace(request, url=_token_url(request, realm.url, challenge, scopes, sent)), with_credential


@reads_answer
def read_challenges(_request: RegistryRequest, reply: Reply) -> tuple[Challenge, ...]:
    """Return the challenges of a 401."""
    return parse_challenges(reply.headers.getall("WWW-Authenticate", []))


@reads_answer
def _read_token(request: RegistryRequest, reply: Reply, requested_at: float) -> Token:
    try:
        return Token.read(reply.content, requested_at)
    except (ValueError, RecursionError):
        raise request.failed(Failure.PROTOCOL, "answered without a token") from None


@reads_answer
def _read_realm(request: RegistryRequest, challenge: Challenge, account: Account, policy: NetworkPolicy) -> Realm:
    try:
        return read_realm(challenge.get("realm"), account.registry, account.base, policy)
    except ValueError as error:
        raise request.failed(Failure.HOST_REFUSED, "may not be answered", str(error)) from None


@reads_answer
def _token_url(
    _request: RegistryRequest, realm: URL, challenge: Challenge, scopes: Scopes, credential: Credential | None
) -> URL:
    """Return the token service's address with the query; the challenge's service may be no UTF-8."""
    wanted = scopes.merged_with(Scopes.parse(challenge.get("scope")))
    return _with_query(realm, _query(challenge.get("service"), wanted, credential))


def _query(service: str, scopes: Scopes, credential: Credential | None) -> str:
    parameters = [("service", service)] if service else []
    parameters += [("scope", text) for text in scopes.texts()]
    parameters += [("account", credential.username)] if credential else []
    return urlencode(parameters)


def _with_query(url: URL, query: str) -> URL:
    separator = "&" if url.raw_query_string else "?"
    return URL(f"{url}{separator}{query}" if query else str(url), encoded=True)


def _not_sent(registry: str, realm: URL) -> str:
    return (
        f"The credentials were not sent, because the token service {authority(realm)} is not known to belong to "
        f"{registry}; an operator can say so with TOKEN_REALMS={registry}={authority(realm)}."
    )
