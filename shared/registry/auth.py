"""How one account proves itself to one registry: remembered from the registry's first challenge."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from yarl import URL

from shared.errors.codes import Side
from shared.http_client.failures import Failure
from shared.http_client.request import Reply, Request, Subject, authority
from shared.model.credential import Credential
from shared.network.policy import NetworkPolicy
from shared.registry.challenge import Challenge, parse_challenges
from shared.registry.realms import read_realm
from shared.registry.scopes import Scopes
from shared.registry.tokens import Token, TokenCache, TokenKey

# Bytes of a token service's answer.
MAX_TOKEN_SIZE = 1024 * 1024

Ask = Callable[[Request, str | None], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A registry as references name it, where it is, and who we are there."""

    side: Side
    registry: str
    base: URL
    credential: Credential | None


class Authenticator:
    """Makes Authorization headers.

    Nothing is sent until the registry asks for it; from then on each request carries what was asked for, so that
    only the first one costs a round trip more.
    """

    def __init__(self, account: Account, tokens: TokenCache, policy: NetworkPolicy, ask: Ask) -> None:
        self._account = account
        self._tokens = tokens
        self._policy = policy
        self._ask = ask
        # What the registry asked for last, without the scope, which was that one request's.
        self._challenge: Challenge | None = None
        self.learnt = False
        """True once the registry has answered, so that the absence of a challenge means something."""
        self.note = ""
        """A sentence for an error about denied access: why the credentials were not used."""

    async def authorization(self, scopes: Scopes) -> str | None:
        """Return the header for a request of these scopes; None while nothing was asked for."""
        if self._challenge is None:
            return None
        if self._challenge.scheme == "basic":
            return self._basic()
        return await self._bearer(self._challenge, scopes, None)

    async def answer(self, challenges: list[str], scopes: Scopes, sent: str | None) -> str | None:
        """Answer a 401, with a fresh token where it asks for one; None where there is nothing better than `sent`."""
        chosen = self._choose(parse_challenges(challenges))
        if chosen is None:
            return None
        self._challenge = chosen.without("scope")
        answer = self._basic() if chosen.scheme == "basic" else await self._bearer(chosen, scopes, sent)
        return answer if answer != sent else None

    def secrets(self, sent: str | None) -> tuple[str, ...]:
        """Return what must not appear in a message, though a registry might repeat it."""
        credential = self._account.credential
        password = (credential.password,) if credential else ()
        return (*password, sent.partition(" ")[2]) if sent else password

    def _choose(self, challenges: tuple[Challenge, ...]) -> Challenge | None:
        """Prefer Basic where there is a password: it stays on the registry's own host and needs no other request."""
        schemes = ("basic", "bearer") if self._account.credential else ("bearer",)
        offered = {challenge.scheme: challenge for challenge in reversed(challenges)}
        return next((offered[scheme] for scheme in schemes if scheme in offered), None)

    def _basic(self) -> str | None:
        return self._account.credential.basic() if self._account.credential else None

    async def _bearer(self, challenge: Challenge, scopes: Scopes, sent: str | None) -> str:
        refused = sent.removeprefix("Bearer ") if sent else None
        token = await self._tokens.get(self._key(scopes), lambda: self._fetch(challenge, scopes), not_this=refused)
        return f"Bearer {token.value}"

    def _key(self, scopes: Scopes) -> TokenKey:
        return TokenKey(str(self._account.base), self._account.credential, scopes)

    async def _fetch(self, challenge: Challenge, scopes: Scopes) -> Token:
        request, with_credential = self._token_request(challenge, scopes)
        asked_at = time.monotonic()
        reply = await self._ask(request, self._basic() if with_credential else None)
        try:
            return Token.read(reply.content, asked_at)
        except (ValueError, RecursionError):
            raise request.failed(Failure.PROTOCOL, "answered without a token") from None

    def _token_request(self, challenge: Challenge, scopes: Scopes) -> tuple[Request, bool]:
        account = self._account
        request = Request(
            side=account.side,
            subject=Subject.TOKEN,
            step=f"asking for a token for {authority(account.base)}",
            method="GET",
            url=account.base,
            limit=MAX_TOKEN_SIZE,
        )
        try:
            realm = read_realm(challenge.get("realm"), account.registry, account.base, self._policy)
        except ValueError as error:
            raise request.failed(Failure.HOST_REFUSED, "may not be answered", str(error)) from None
        with_credential = realm.trusted and account.credential is not None
        self.note = "" if realm.trusted or not account.credential else _unsent(account.registry, realm.url)
        wanted = scopes.fitted(Scopes.parse(challenge.get("scope")))
        query = _query(challenge.get("service"), wanted, account.credential if with_credential else None)
        return replace(request, url=_with_query(realm.url, query)), with_credential


def _query(service: str, scopes: Scopes, credential: Credential | None) -> str:
    parameters = [("service", service)] if service else []
    parameters += [("scope", text) for text in scopes.texts()]
    parameters += [("account", credential.username)] if credential else []
    return urlencode(parameters)


def _with_query(url: URL, query: str) -> URL:
    joint = "&" if url.raw_query_string else "?"
    return URL(f"{url}{joint}{query}" if query else str(url), encoded=True)


def _unsent(registry: str, realm: URL) -> str:
    return (
        f"The credentials were not sent, because the token service {authority(realm)} is not known to belong to "
        f"{registry}; an operator can say so with TOKEN_REALMS={registry}={authority(realm)}."
    )
