"""Requests to one registry under one account: authorised, retried, and with every failure translated."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus

from shared.errors.error import LongshoreError
from shared.http_client.classify import refused
from shared.http_client.failures import Failure
from shared.http_client.locations import origin
from shared.http_client.request import Reply, Request, Subject, authority
from shared.http_client.retry import retried
from shared.http_client.session import Outgoing
from shared.http_client.wire import Response, Wire, read_complaint_reply, read_reply
from shared.rate_limits.account import AccountLimits
from shared.rate_limits.limit import Scope
from shared.registry.auth import Account, Authenticator
from shared.registry.scopes import Scopes
from shared.registry.tokens import TokenCache


class Transport:
    """What the steps of the distribution spec are sent through."""

    def __init__(self, outgoing: Outgoing, account: Account, tokens: TokenCache, limits: AccountLimits) -> None:
        self.account = account
        self.limits = limits
        self._wire = Wire(outgoing)
        self._auth = Authenticator(account, tokens, outgoing.policy, self._ask_token)

    async def ask(self, request: Request) -> Reply:
        """Send a request and read the answer as a whole; sent again where that may help."""
        return await retried(lambda: self.ask_once(request))

    async def ask_once(self, request: Request) -> Reply:
        """As `ask`, without a second try: where its failure has a better answer than that."""
        await self.check_limits(request, _scope(request))
        async with self.limits.request:
            return await self._ask(request)

    async def send(self, request: Request) -> Reply:
        """Send a request whose body is a stream, with proof of who we are in it from the start."""
        await retried(lambda: self._prepare(request.scopes))
        await self.check_limits(request, Scope.REQUESTS)
        return await self._ask(request)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Response]:
        """Open an answer to be read piece by piece; getting it open is tried again where that may help."""
        async with AsyncExitStack() as stack:
            yield await retried(lambda: self._open(stack, request))

    async def check_limits(self, request: Request, scope: Scope) -> None:
        """Wait for a limit that ends in a moment; raise `*_rate_limited` while another one holds this scope back."""
        seconds = await self.limits.held(scope)
        if seconds:
            detail = f"{request.host} is at its rate limit, and is not asked before that ends."
            raise request.error(Failure.RATE_LIMITED, detail, retry_after=seconds)

    def ping(self) -> Request:
        """Return the request for the API's root, which asks no more than whether we are welcome (spec, end-1)."""
        return Request(
            side=self.account.side,
            subject=Subject.REGISTRY,
            step="greeting the registry",
            method="GET",
            url=self.account.base.with_path("/v2/"),
        )

    async def _open(self, stack: AsyncExitStack, request: Request) -> Response:
        await self.check_limits(request, Scope.REQUESTS)
        return await stack.enter_async_context(self._accepted(request))

    async def _ask(self, request: Request) -> Reply:
        async with self._accepted(request) as response:
            return await read_reply(request, response)

    @asynccontextmanager
    async def _accepted(self, request: Request) -> AsyncIterator[Response]:
        """Open an answer that is a success, after answering a challenge once."""
        sent = await self._auth.authorization(request.scopes)
        async with self._wire.open(request, sent) as response:
            if not _challenged(request, response):
                await self._check(request, response, sent)
                yield response
                return
            challenged = await read_complaint_reply(request, response)
        answer = await self._answered(request, challenged, sent)
        async with self._wire.open(request, answer) as response:
            await self._check(request, response, answer)
            yield response

    async def _answered(self, request: Request, challenged: Reply, sent: str | None) -> str:
        """Return what to send after a 401; raises where there is nothing better, or no second body.

        In the latter case whoever tries again has a fresh token, which has been fetched by then.
        """
        challenges = challenged.headers.getall("WWW-Authenticate", [])
        answer = await self._auth.answer(challenges, request.scopes, sent)
        if answer is None:
            raise await self._refused(request, challenged, sent)
        if not request.replayable:
            raise request.failed(Failure.UNAVAILABLE, "no longer took its own token")
        return answer

    async def _check(self, request: Request, response: Response, sent: str | None) -> None:
        if response.status in request.accepts:
            self._auth.learnt = True
            await self._note_allowance(request, response)
            return
        reply = await read_complaint_reply(request, response)
        if origin(response.url) != origin(request.url):
            raise _storage_refused(request, response)
        raise await self._refused(request, reply, sent)

    async def _note_allowance(self, request: Request, response: Response) -> None:
        """Heed what the registry says of how much is left; what its storage says is not about the registry."""
        if origin(response.url) == origin(request.url):
            await self.limits.told(response.headers, metered=request.method == "GET")

    async def _refused(self, request: Request, reply: Reply, sent: str | None) -> LongshoreError:
        """Make the error for a refusal; one for a rate limit tells how long that holds for this account."""
        error = refused(request, reply, self._auth.secrets(sent), self._auth.note)
        if error.kind.parks:
            error.retry_after = await self.limits.struck(_scope(request), error.retry_after)
        return error

    async def _prepare(self, scopes: Scopes) -> None:
        """Learn how the registry wants to be asked, and have a good token for these scopes."""
        if not self._auth.learnt:
            await self._ask(self.ping())
        await self._auth.authorization(scopes)

    async def _ask_token(self, request: Request, authorization: str | None) -> Reply:
        async with self._wire.open(request, authorization) as response:
            if response.status in request.accepts:
                return await read_reply(request, response)
            reply = await read_complaint_reply(request, response)
        raise await self._refused(request, reply, authorization)


def _scope(request: Request) -> Scope:
    """Return what a limit on this request holds back: Docker Hub's on manifests leaves blobs alone."""
    return Scope.MANIFESTS if request.subject is Subject.MANIFEST else Scope.REQUESTS


def _challenged(request: Request, response: Response) -> bool:
    """A 401 counts only from the registry itself: storage behind a redirect has no business with our account."""
    return response.status == HTTPStatus.UNAUTHORIZED and origin(response.url) == origin(request.url)


def _storage_refused(request: Request, response: Response) -> LongshoreError:
    """A signed address that has run out is made anew by the next request, whatever the storage says of this one."""
    return request.failed(
        Failure.UNAVAILABLE, f"answered {response.status} to the registry's redirect", host=authority(response.url)
    )
