"""Requests to one registry under one account: authorised, retried, and with every failure translated."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus

import aiohttp

from shared.errors import LongshoreError
from shared.network.session import Outgoing
from shared.registry.answers import refused
from shared.registry.auth import Account, Authenticator
from shared.registry.failures import Failure
from shared.registry.locations import origin
from shared.registry.request import Reply, Request, Subject, authority
from shared.registry.retry import retried
from shared.registry.scopes import Scopes
from shared.registry.tokens import TokenCache
from shared.registry.wire import Wire, read_complaint_reply, read_reply


class Transport:
    """What the steps of the distribution spec are sent through."""

    def __init__(self, outgoing: Outgoing, account: Account, tokens: TokenCache) -> None:
        self.account = account
        self._wire = Wire(outgoing)
        self._auth = Authenticator(account, tokens, outgoing.policy, self._ask_token)

    async def ask(self, request: Request) -> Reply:
        """Send a request and read the answer as a whole; sent again where that may help."""
        return await retried(lambda: self._ask(request))

    async def ask_once(self, request: Request) -> Reply:
        """As `ask`, without a second try: where its failure has a better answer than that."""
        return await self._ask(request)

    async def send(self, request: Request) -> Reply:
        """Send a request whose body is a stream, with proof of who we are in it from the start."""
        await retried(lambda: self._prepare(request.scopes))
        return await self._ask(request)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """Open an answer to be read piece by piece; getting it open is tried again where that may help."""
        async with AsyncExitStack() as stack:
            yield await retried(lambda: stack.enter_async_context(self._accepted(request)))

    def ping(self) -> Request:
        """Return the request for the API's root, which asks no more than whether we are welcome (spec, end-1)."""
        return Request(
            side=self.account.side,
            subject=Subject.REGISTRY,
            step="greeting the registry",
            method="GET",
            url=self.account.base.with_path("/v2/"),
        )

    async def _ask(self, request: Request) -> Reply:
        async with self._accepted(request) as response:
            return await read_reply(request, response)

    @asynccontextmanager
    async def _accepted(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
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
        """Return what to send after a 401; raises where there is nothing better, or no second body."""
        if not request.replayable:
            self._auth.forget(request.scopes)
            raise request.failed(Failure.UNAVAILABLE, "no longer took its own token")
        challenges = challenged.headers.getall("WWW-Authenticate", [])
        answer = await self._auth.answer(challenges, request.scopes, sent)
        if answer is None:
            raise refused(request, challenged, self._auth.secrets(sent), self._auth.note)
        return answer

    async def _check(self, request: Request, response: aiohttp.ClientResponse, sent: str | None) -> None:
        if response.status in request.accepts:
            self._auth.learnt = True
            return
        reply = await read_complaint_reply(request, response)
        if origin(response.url) != origin(request.url):
            raise _storage_refused(request, response)
        raise refused(request, reply, self._auth.secrets(sent), self._auth.note)

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
        raise refused(request, reply, self._auth.secrets(authorization), self._auth.note)


def _challenged(request: Request, response: aiohttp.ClientResponse) -> bool:
    """A 401 counts only from the registry itself: storage behind a redirect has no business with our account."""
    return response.status == HTTPStatus.UNAUTHORIZED and origin(response.url) == origin(request.url)


def _storage_refused(request: Request, response: aiohttp.ClientResponse) -> LongshoreError:
    """A signed address that has run out is made anew by the next request, whatever the storage says of this one."""
    return request.failed(
        Failure.UNAVAILABLE, f"answered {response.status} to the registry's redirect", host=authority(response.url)
    )
