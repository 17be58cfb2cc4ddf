"""Sends requests to one registry under one account: authorised, retried, with every failure as a LongshoreError."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus

from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.http_client.failures import Failure
from shared.http_client.locations import origin
from shared.http_client.request import Reply, Request, authority
from shared.http_client.retry import retried
from shared.http_client.session import SMALL_EXCHANGE_TIMEOUT, Outgoing
from shared.http_client.wire import Response, Wire, read_error_reply, read_reply
from shared.rate_limits.account import AccountLimits
from shared.rate_limits.limit import Scope
from shared.registry.auth import Account, Authenticator, read_challenges
from shared.registry.classify import error_from_reply
from shared.registry.request import RegistryRequest, Resource
from shared.registry.scopes import Scopes
from shared.registry.sign_in import SignInStep
from shared.registry.tokens import TokenCache

# Seconds for one request to a source, with its token, challenge and redirects; of a blob, until its first byte.
SOURCE_SECONDS = SMALL_EXCHANGE_TIMEOUT
# Answers to a ping with which a registry rejects the account itself.
_NOT_SIGNED_IN = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class Transport:
    """The connection between a registry's endpoints and the wire."""

    def __init__(self, outgoing: Outgoing, account: Account, tokens: TokenCache, limits: AccountLimits) -> None:
        self.account = account
        self.limits = limits
        self._wire = Wire(outgoing)
        self._auth = Authenticator(account, tokens, outgoing.policy, self._ask_token)

    async def send(self, request: RegistryRequest) -> Reply:
        """Send a request and read the whole response; retried after a transient failure."""
        return await retried(lambda: self.send_once(request))

    async def send_once(self, request: RegistryRequest) -> Reply:
        """As `send`, without a retry: for steps whose failure the caller handles better."""
        await self.check_limits(request, _limit_scope(request))
        async with self.limits.request, _time_in_all(request):
            return await self._ask(request)

    async def send_within(self, request: RegistryRequest) -> Reply:
        """Send a request from the `before` of another one, once and in that one's slot.

        Waiting for a slot of its own while it holds one could wait for ever.
        """
        return await self._ask(request)

    async def upload(self, request: RegistryRequest) -> Reply:
        """Send a request whose body is a stream; it is authorised from the start, because it cannot be repeated."""
        await retried(lambda: self._prepare(request.scopes))
        await self.check_limits(request, Scope.REQUESTS)
        return await self._ask(request)

    @asynccontextmanager
    async def open(self, request: RegistryRequest) -> AsyncIterator[Response]:
        """Open a response to be read in pieces; opening it is retried after a transient failure."""
        async with AsyncExitStack() as stack:
            yield await retried(lambda: self._open(stack, request))

    async def check_limits(self, request: Request, scope: Scope) -> None:
        """Wait for a limit that ends within seconds; raise `*_rate_limited` while another one holds this scope."""
        seconds = await self.limits.wait(scope)
        if seconds:
            detail = f"{request.host} is at its rate limit; Longshore sends it no request before the limit ends."
            raise request.error(Failure.RATE_LIMITED, detail, retry_after=seconds)

    async def sign_in(self, begin: Callable[[SignInStep], None]) -> None:
        """Ping once, first without authorization, and call `begin` before each step; raises the error of the last."""
        begin(SignInStep.REACH)
        request = self.ping()
        await self.check_limits(request, Scope.REQUESTS)
        async with self.limits.request, _time_in_all(request):
            async with self._wire.open(request) as response:
                if not _is_challenge(request, response):
                    begin(SignInStep.ANSWER)
                    await self._check(request, response, None)
                    return
                begin(SignInStep.SIGN_IN)
                challenged = await read_error_reply(request, response)
            renewed = await self._answer_challenge(request, challenged, None)
            async with self._wire.open(request, renewed) as response:
                if response.status not in _NOT_SIGNED_IN:
                    begin(SignInStep.ANSWER)
                await self._check(request, response, renewed)

    def ping(self) -> RegistryRequest:
        """Return the request for the API's root, which only checks the API and the account (end-1)."""
        return RegistryRequest(
            side=self.account.side,
            resource=Resource.REGISTRY,
            step="checking the registry's API",
            method="GET",
            url=self.account.base.with_path("/v2/"),
        )

    async def _open(self, stack: AsyncExitStack, request: RegistryRequest) -> Response:
        await self.check_limits(request, Scope.REQUESTS)
        async with _time_in_all(request):
            return await stack.enter_async_context(self._accepted(request))

    async def _ask(self, request: RegistryRequest) -> Reply:
        async with self._accepted(request) as response:
            return await read_reply(request, response)

    @asynccontextmanager
    async def _accepted(self, request: RegistryRequest) -> AsyncIterator[Response]:
        """Open a successful response; a challenge is answered once."""
        sent = await self._auth.authorization(request.scopes)
        async with self._wire.open(request, sent) as response:
            if not _is_challenge(request, response):
                await self._check(request, response, sent)
                yield response
                return
            challenged = await read_error_reply(request, response)
        renewed = await self._answer_challenge(request, challenged, sent)
        async with self._wire.open(request, renewed) as response:
            await self._check(request, response, renewed)
            yield response

    async def _answer_challenge(self, request: RegistryRequest, challenged: Reply, sent: str | None) -> str:
        """Return the authorization to send after a 401; raises if there is no better one, or no second body.

        In the latter case the fresh token is fetched already, and the caller's next attempt uses it.
        """
        renewed = await self._auth.answer(read_challenges(request, challenged), request.scopes, sent)
        if renewed is None:
            raise await self._error(request, challenged, sent)
        if not request.replayable:
            raise request.failed(Failure.UNAVAILABLE, "no longer accepts its own token")
        return renewed

    async def _check(self, request: RegistryRequest, response: Response, sent: str | None) -> None:
        if response.status in request.accepts:
            self._auth.answered = True
            await self._observe_limits(request, response)
            return
        reply = await read_error_reply(request, response)
        if not _from_registry(request, response):
            raise _storage_error(request, response)
        raise await self._error(request, reply, sent)

    async def _observe_limits(self, request: RegistryRequest, response: Response) -> None:
        """Read the rate limit headers; those of a storage service say nothing about the registry."""
        if _from_registry(request, response):
            await self.limits.observe_headers(response.headers, metered=request.method == "GET")

    async def _error(self, request: RegistryRequest, reply: Reply, sent: str | None) -> LongshoreError:
        """Return the error for a response; for a rate limit, with the seconds that it holds for this account."""
        error = error_from_reply(request, reply, self._auth.secrets(sent), self._auth.note)
        if error.kind.parks:
            error.retry_after = await self.limits.on_rate_limited(_limit_scope(request), error.retry_after)
        return error

    async def _prepare(self, scopes: Scopes) -> None:
        """Learn the registry's authentication scheme, and have a valid token for these scopes."""
        if not self._auth.answered:
            await self._ask(self.ping())
        await self._auth.authorization(scopes)

    async def _ask_token(self, request: RegistryRequest, authorization: str | None) -> Reply:
        async with self._wire.open(request, authorization) as response:
            if response.status in request.accepts:
                return await read_reply(request, response)
            reply = await read_error_reply(request, response)
        raise await self._error(request, reply, authorization)


@asynccontextmanager
async def _time_in_all(request: RegistryRequest) -> AsyncIterator[None]:
    """Raise `source_stalled` if a source's answer takes too long, with its token, challenge and redirects.

    Each of these has a time of its own, and a source can use all of them up. A target's commit may take long.
    """
    if request.side is not Side.SOURCE:
        yield
        return
    try:
        async with asyncio.timeout(SOURCE_SECONDS):
            yield
    except TimeoutError:
        raise request.failed(Failure.STALLED, f"did not answer within {SOURCE_SECONDS:.0f} seconds") from None


def _limit_scope(request: RegistryRequest) -> Scope:
    """Return the scope of a limit on this request: Docker Hub meters manifests, but not blobs."""
    return Scope.MANIFESTS if request.resource is Resource.MANIFEST else Scope.REQUESTS


def _from_registry(request: RegistryRequest, response: Response) -> bool:
    """Return whether the registry itself responded, and not a storage service behind a redirect."""
    return origin(response.url) == origin(request.url)


def _is_challenge(request: RegistryRequest, response: Response) -> bool:
    """Return whether the response asks for authorization; a storage service never gets the account."""
    return response.status == HTTPStatus.UNAUTHORIZED and _from_registry(request, response)


def _storage_error(request: RegistryRequest, response: Response) -> LongshoreError:
    """Return a retryable error for any status: the next request gets a new signed address if this one has expired."""
    return request.failed(
        Failure.UNAVAILABLE, f"answered {response.status} to the registry's redirect", host=authority(response.url)
    )
