"""Clients that send requests to an API continuously while a scenario injects faults."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from deploy.local.stack import Api, LocalStackError

# A request that gets nothing for this time counts as unanswered. Seconds.
TIMEOUT = 20.0
# The pause between two requests of one client, so that the requests do not use the whole machine. Seconds.
PAUSE = 0.05
NO_ANSWER = 0


@dataclass(frozen=True, kw_only=True)
class Query:
    """A request."""

    method: str
    path: str
    token: str | None = None
    body: object = None


@dataclass(frozen=True, kw_only=True)
class Response:
    """A response: its status (0: none), the time of its request (monotonic clock), and its duration in seconds."""

    query: Query
    status: int
    asked: float
    seconds: float


@dataclass
class Responses:
    """The responses so far."""

    all: list[Response] = field(default_factory=list)

    def since(self, moment: float) -> Responses:
        """Return the responses to requests after that time."""
        return Responses([one for one in self.all if one.asked >= moment])

    @property
    def worst(self) -> float:
        return round(max((one.seconds for one in self.all), default=0.0), 3)

    @property
    def statuses(self) -> dict[str, int]:
        return {str(status): count for status, count in sorted(Counter(one.status for one in self.all).items())}

    def troubled(self, status: int) -> int:
        """Return the number of responses with this status, or that took more than a second."""
        return sum(one.status == status or one.seconds > 1 for one in self.all)


def ask(api: Api, query: Query) -> Response:
    """Send one request."""
    asked = time.monotonic()
    try:
        status, _ = api.request(query.method, query.path, query.token, query.body, seconds=TIMEOUT)
    except (OSError, http.client.HTTPException, LocalStackError):
        status = NO_ANSWER
    return Response(query=query, status=status, asked=asked, seconds=time.monotonic() - asked)


@contextmanager
def querying(api: Api, queries: Sequence[Query], people: int) -> Iterator[Responses]:
    """Let this number of clients send the requests in turn while the block runs."""
    responses = Responses()
    ended = threading.Event()

    def go(person: int) -> None:
        turn = person
        while not ended.wait(PAUSE):
            responses.all.append(ask(api, queries[turn % len(queries)]))
            turn += 1

    threads = [threading.Thread(target=go, args=(person,)) for person in range(people)]
    for thread in threads:
        thread.start()
    try:
        yield responses
    finally:
        ended.set()
        for thread in threads:
            thread.join()
