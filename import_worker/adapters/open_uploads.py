"""The open uploads of one attempt: each is recorded before its first byte, and none is left that is not recorded."""

import asyncio
from contextlib import suppress

import structlog

from import_worker.adapters.upload_log import UploadLog
from shared.errors.error import LongshoreError
from shared.registry.repository import Repository
from shared.registry.uploads import UploadSession
from shared.runtime.concurrency import gather_bounded

# Uploads that are over are forgotten together, because each statement is a commit. Rows that a killed worker leaves
# cost the API one request each.
FORGET_AT_ONCE = 100
# Requests at a time at the end of an attempt.
AT_ONCE = 8
# The time for the end of an attempt: a worker that stops has its own limit behind it. Seconds.
SETTLE_TIMEOUT = 5.0

_log = structlog.stdlib.get_logger(__name__)


class OpenUploads:
    """Why: docs/decisions/0049."""

    def __init__(self, repository: Repository, log: UploadLog) -> None:
        self._repository = repository
        self._log = log
        self._over: set[str] = set()
        # The newest address by the first one: the database was away, or the API would send no request to the address.
        self._unrecorded: dict[str, str] = {}

    async def opened(self, address: str) -> None:
        """Record an upload by the first address that the target gave; call it before the first byte is sent."""
        if not (self._repository.is_upload(address) and await self._log.record(address)):
            self._unrecorded[address] = address
        if len(self._over) >= FORGET_AT_ONCE:
            await self._forget()

    async def moved(self, address: str, now: str) -> None:
        """Record the present address of an upload: registries reject the one from before the last bytes."""
        if address in self._unrecorded:
            self._unrecorded[address] = now
        elif self._repository.is_upload(now):
            await self._log.record(now)

    def over(self, address: str) -> None:
        """Note that the target has committed or cancelled an upload."""
        if self._unrecorded.pop(address, None) is None:
            self._over.add(address)

    async def settle(self) -> None:
        """Forget the uploads that are over, and cancel those that are not recorded; failures are ignored."""
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT):
                await self._forget()
                await gather_bounded(self._cancel, list(self._unrecorded.values()), AT_ONCE)
        except TimeoutError:
            _log.warning("uploads.not_settled", unrecorded=len(self._unrecorded))

    async def _forget(self) -> None:
        over, self._over = self._over, set()
        if over:
            await self._log.forget(sorted(over))

    async def _cancel(self, address: str) -> None:
        session = UploadSession(address)
        with suppress(LongshoreError):
            found = await self._repository.get_upload(session)
            await self._repository.cancel_upload(found[0] if found else session)
