"""The start of an attempt: the API gives the terms, and admits the image's bytes if they are limited."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from import_worker.until_accepted import until_accepted
from shared.messages.attempt_start import Admitted, AttemptStart, AttemptTerms, ImageAdmission


class AttemptApi(Protocol):
    """The API's two requests at the start of an attempt.

    Both raise SupersededError if the API answers that the worker has to stop, and LongshoreError otherwise:
    `api_unavailable` if the same request may succeed soon, or an error of the target that the API has met.
    """

    async def begin(self, name: str, start: AttemptStart) -> AttemptTerms:
        """Return the attempt's terms."""
        ...

    async def admit(self, name: str, admission: ImageAdmission) -> Admitted:
        """Have the image's bytes admitted."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt, which this worker has claimed."""

    api: AttemptApi
    name: str
    number: int
    claim_token: UUID | None = None

    async def begin(self) -> AttemptTerms:
        """Return the terms; raises SupersededError if the import has ended."""
        start = AttemptStart(attempt=self.number, claim_token=self.claim_token)
        return await until_accepted(lambda: self.api.begin(self.name, start), event="attempt.terms_not_delivered")

    async def admit(self, size: int) -> Admitted:
        """Have this many bytes admitted; raises SupersededError if the import has ended."""
        admission = ImageAdmission(attempt=self.number, claim_token=self.claim_token, bytes=size)
        return await until_accepted(lambda: self.api.admit(self.name, admission), event="attempt.bytes_not_admitted")
