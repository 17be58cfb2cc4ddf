"""Rules: which requests of a scripted registry are handled differently, and how."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self

from tests.scripted.answer import Answer, refusal
from tests.scripted.behaviour import Behaviour
from tests.scripted.connection import Ending
from tests.scripted.received_request import ReceivedRequest


class Rule:
    """Created by `ScriptedRegistry.on`; its methods can be chained, and define how matching requests are handled."""

    def __init__(self, method: str, path: str, *, times: int | None, after: int) -> None:
        self.behaviour = Behaviour()
        self.hits: list[ReceivedRequest] = []
        """The requests that the rule has applied to."""
        self._method = re.compile(method)
        self._path = re.compile(path)
        self._left = times
        self._skip = after

    def takes(self, asked: ReceivedRequest) -> bool:
        """Return whether the rule applies to this request, and count it."""
        if not (self._method.fullmatch(asked.method) and self._path.fullmatch(asked.path)) or self._left == 0:
            return False
        if self._skip:
            self._skip -= 1
            return False
        self._left = None if self._left is None else self._left - 1
        self.hits.append(asked)
        return True

    # The response.

    def answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Self:
        """Send this response; the registry does not process the request."""
        return self._with(answer=Answer(status=status, body=body, headers=headers or {}))

    def answer_with(self, make: Callable[[ReceivedRequest], Answer]) -> Self:
        """Send the response that the function returns for the request."""
        return self._with(answer=make)

    def refuse(self, status: int, code: str, message: str = "", **headers: str) -> Self:
        """Send an error in the specification's format."""
        return self._with(answer=refusal(status, code, message, **headers))

    def redirect(self, location: str, status: int = 307) -> Self:
        return self.answer(status, headers={"Location": location})

    def change(self, change: Callable[[Answer], Answer]) -> Self:
        """Change the registry's own response; the request has been processed."""
        return self._with(changes=(*self.behaviour.changes, change))

    def set_status(self, status: int) -> Self:
        return self.change(lambda answer: replace(answer, status=status))

    def set_header(self, name: str, value: str | Callable[[str], str] | None) -> Self:
        """Set a header, compute it from its old value, or remove it (None)."""

        def change(answer: Answer) -> Answer:
            headers = {key: kept for key, kept in answer.headers.items() if key.lower() != name.lower()}
            said = value(answer.headers.get(name, "")) if callable(value) else value
            return replace(answer, headers=headers if said is None else {**headers, name: said})

        return self.change(change)

    def truncate(self, size: int) -> Self:
        """Cut the response's body after its first bytes; Content-Length states the shorter size."""
        return self.change(lambda answer: replace(answer, body=answer.body[:size]))

    def state_length(self, length: int) -> Self:
        """State this Content-Length regardless of the body."""
        return self._with(stated_length=length)

    def send_chunked(self) -> Self:
        """Send the response's body in chunks, without a length."""
        return self._with(chunked=True)

    def send_endlessly(self) -> Self:
        """Send zeros without end after the response's body."""
        return self._with(endless=True)

    def send_raw(self, raw: bytes) -> Self:
        """Send these bytes instead of a response, and close the connection."""
        return self._with(raw=raw)

    def send_before(self, interim: bytes) -> Self:
        """Send these bytes before the response's head: a 100 or 103, or invalid bytes."""
        return self._with(interim=interim)

    # The body: the request's if it has one, else the response's.

    def cut_after(self, size: int, ending: Ending = Ending.RESET) -> Self:
        """End the connection after so many bytes of the body."""
        return self._with(end_after=size, ending=ending)

    def silent_after(self, size: int) -> Self:
        """Pass nothing after so many bytes of the body, and keep the connection."""
        return self.cut_after(size, Ending.SILENCE)

    def drip(self, size: int, pause: float) -> Self:
        """Pass the body in pieces of `size` bytes, with a pause after each."""
        return self._with(pace=(size, pause))

    def corrupt(self, at: int) -> Self:
        """Change one byte of the body."""
        return self._with(corrupt_at=at)

    # Time and order.

    def delay(self, seconds: float) -> Self:
        """Wait before the response."""
        return self._with(wait=seconds)

    def early(self, after: int = 0, *, lingers: bool = True) -> Self:
        """Respond after so many bytes of the request's body; needs a response that the rule defines.

        A careful server lingers; one that closes at once resets the connection during its own answer.
        """
        return self._with(early_after=after, lingers=lingers)

    def withhold_continue(self) -> Self:
        """Never send the 100 that a request with `Expect: 100-continue` waits for."""
        return self._with(withholds_continue=True)

    def lose_answer(self, ending: Ending = Ending.RESET) -> Self:
        """Process the request, then end the connection instead of responding."""
        return self._with(lost=ending)

    def never_answer(self) -> Self:
        """Process the request, and send nothing."""
        return self.lose_answer(Ending.SILENCE)

    def close(self) -> Self:
        """Close the connection after the response, without announcing it."""
        return self._with(closes=True)

    def _with(self, **fields: Any) -> Self:
        self.behaviour = replace(self.behaviour, **fields)
        return self
