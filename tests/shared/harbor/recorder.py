"""Records the stand-in's requests and responses, and lets a test intervene between them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request and its answer. Header names are in lower case; `target` is as it was sent."""

    method: str
    target: str
    sent: Mapping[str, str]
    body: bytes
    status: int
    received: Mapping[str, str]
    answer: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


@dataclass
class Recorder:
    """The API's exchanges, and a test's hooks for incoming requests."""

    exchanges: list[Exchange] = field(default_factory=list)
    _steps: list[tuple[str, Callable[[web.Request], web.Response | None]]] = field(default_factory=list)

    def once(self, method: str, step: Callable[[web.Request], web.Response | None]) -> None:
        """Call `step` before the next API request of this method is handled; its result, if any, is the response."""
        self._steps.append((method, step))

    def asked(self, method: str) -> list[Exchange]:
        return [exchange for exchange in self.exchanges if exchange.method == method]

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith("/api/"):
            return await handler(request)
        body = await request.read()
        answer = self._stepped_in(request) or await handler(request)
        content = answer.body if isinstance(answer, web.Response) and isinstance(answer.body, bytes) else b""
        self.exchanges.append(
            Exchange(
                method=request.method,
                target=request.raw_path,
                sent={name.lower(): value for name, value in request.headers.items()},
                body=body,
                status=answer.status,
                received={name.lower(): value for name, value in answer.headers.items()},
                answer=content,
            )
        )
        return answer

    def _stepped_in(self, request: web.Request) -> web.Response | None:
        for place, (method, step) in enumerate(self._steps):
            if method == request.method:
                del self._steps[place]
                return step(request)
        return None
