"""People who ask an API all the time, while a scenario harms what it stands on."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from deploy.local.stack import Api, LocalStackError

# A request without a word for so long counts as one without an answer. Seconds.
PATIENCE = 20.0
# Between two requests of one person: with answers of milliseconds, the machine would do nothing else. Seconds.
PAUSE = 0.05
NO_ANSWER = 0


@dataclass(frozen=True, kw_only=True)
class Question:
    """A request."""

    method: str
    path: str
    token: str | None = None
    body: object = None


@dataclass(frozen=True, kw_only=True)
class Heard:
    """An answer: its status (0: none came), when it was asked for (monotonic clock), and the seconds that it took."""

    question: Question
    status: int
    asked: float
    seconds: float


@dataclass
class Crowd:
    """What a crowd has heard so far."""

    heard: list[Heard] = field(default_factory=list)

    def since(self, moment: float) -> Crowd:
        """Return what was asked for after that moment."""
        return Crowd([one for one in self.heard if one.asked >= moment])

    @property
    def worst(self) -> float:
        return round(max((one.seconds for one in self.heard), default=0.0), 3)

    @property
    def statuses(self) -> dict[str, int]:
        return {str(status): count for status, count in sorted(Counter(one.status for one in self.heard).items())}

    def troubled(self, status: int) -> int:
        """Return how many were answered with this status, or took more than a second."""
        return sum(one.status == status or one.seconds > 1 for one in self.heard)


def ask(api: Api, question: Question) -> Heard:
    """Ask once."""
    asked = time.monotonic()
    try:
        status, _ = api.request(question.method, question.path, question.token, question.body, seconds=PATIENCE)
    except (OSError, http.client.HTTPException, LocalStackError):
        status = NO_ANSWER
    return Heard(question=question, status=status, asked=asked, seconds=time.monotonic() - asked)


@contextmanager
def asking(api: Api, questions: Sequence[Question], people: int) -> Iterator[Crowd]:
    """Let so many people ask these questions, each in turn, while the block runs."""
    crowd = Crowd()
    ended = threading.Event()

    def go(person: int) -> None:
        turn = person
        while not ended.wait(PAUSE):
            crowd.heard.append(ask(api, questions[turn % len(questions)]))
            turn += 1

    threads = [threading.Thread(target=go, args=(person,)) for person in range(people)]
    for thread in threads:
        thread.start()
    try:
        yield crowd
    finally:
        ended.set()
        for thread in threads:
            thread.join()
