"""A running API as the tests use it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from uuid import UUID

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient

from api_service.imports.enqueue import ImportQueue
from api_service.imports.keys import QUEUE
from shared.db.access.tokens import create_token
from shared.db.database import Database
from shared.db.import_states import ClaimedImport
from shared.messages.attempt_start import AttemptStart, ImageAdmission, dump_admission, dump_start
from shared.messages.progress_report import ProgressReport, dump_report
from shared.model.roles import Role
from tests.api_service.described import check_answer
from tests.import_worker.claiming import claim_named

BASE = "/api/v1"
LEASE = 30.0
# The limit for a condition that a test waits for: it is met within seconds, except on a busy machine. Seconds.
DEADLINE = 60.0

_Message = TypeVar("_Message", ProgressReport, AttemptStart, ImageAdmission)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A response, read as a whole."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> str:
        code: str = self.body["code"]
        return code


@dataclass(frozen=True, kw_only=True)
class Api:
    """The client, the API's database, a token for each role, and the tokens of the claims by import and attempt."""

    client: "TestClient[Any, Any]"
    database: Database
    tokens: Mapping[Role, str]
    claim_tokens: dict[tuple[str, int], UUID | None] = field(default_factory=dict)

    @property
    def queue(self) -> ImportQueue:
        """The queue that the running API's use cases write to."""
        queue = self.client.app[QUEUE]
        assert isinstance(queue, ImportQueue)
        return queue

    def authorization(self, role: Role | None = Role.USER, *, token: str | None = None) -> dict[str, str]:
        secret = token or (self.tokens[role] if role else None)
        return {"Authorization": f"Bearer {secret}"} if secret else {}

    async def call(
        self,
        method: str,
        path: str,
        *,
        role: Role | None = Role.USER,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Answer:
        """Send a request with the role's token, if any, read the answer, and check it against the OpenAPI document."""
        given = {**self.authorization(role, token=token), **(headers or {})}
        async with self.client.request(method, path, headers=given, **options) as response:
            answer = await read(response)
        check_answer(method, response.url.path, status=answer.status, headers=answer.headers, body=answer.body)
        return answer

    async def get(self, path: str, **options: Any) -> Any:
        """GET below the base path; the answer must be 200."""
        answer = await self.call("GET", f"{BASE}{path}", **options)
        assert answer.status == 200, answer
        return answer.body

    async def post_import(self, body: object, **options: Any) -> Answer:
        return await self.call("POST", f"{BASE}/images:import", json=body, **options)

    async def start(self, body: object, **options: Any) -> Any:
        """Start an import, which must be accepted, and return the answer's body."""
        answer = await self.post_import(body, **options)
        assert (answer.status, answer.body["state"]) == (200, 1), answer
        return answer.body

    async def report(self, name: str, report: ProgressReport, **options: Any) -> Answer:
        options = {"role": Role.WORKER, **options}
        body = dump_report(self._of_claim(name, report))
        return await self.call("PUT", f"{BASE}/images:import/{name}/progress", json=body, **options)

    def _of_claim(self, name: str, message: _Message) -> _Message:
        """Return the message with the token of the claim that began its attempt, unless it has one."""
        known = self.claim_tokens.get((name, message.attempt))
        return replace(message, claim_token=message.claim_token or known)

    async def token(self, user: str, role: Role = Role.USER, *, lifetime: float | None = None) -> str:
        async with self.database.connection() as connection:
            return await create_token(connection, user=user, role=role, lifetime=lifetime)

    async def claim(self, name: str, *, lease: float = LEASE) -> ClaimedImport:
        """Take an import as a worker does that has asked for its terms; the target need not be there."""
        claimed = await self.claim_only(name, lease=lease)
        await self.execute("UPDATE imports SET begun_attempt = attempt WHERE name = $1", name)
        return claimed

    async def claim_only(self, name: str, *, lease: float = LEASE) -> ClaimedImport:
        """Take an import as a worker does, which has to ask for its terms next."""
        claimed = await claim_named(self.database, name, worker="test", lease=lease)
        assert claimed
        self.claim_tokens[name, claimed.attempt] = claimed.claim_token
        return claimed

    async def begin(self, name: str, attempt: int = 1, **options: Any) -> Answer:
        """Ask for an attempt's terms."""
        body = dump_start(self._of_claim(name, AttemptStart(attempt=attempt)))
        return await self.call(
            "POST", f"{BASE}/images:import/{name}/begin", json=body, **{"role": Role.WORKER, **options}
        )

    async def admit(self, name: str, size: int, attempt: int = 1, **options: Any) -> Answer:
        """Ask for the admission of an image's bytes."""
        body = dump_admission(self._of_claim(name, ImageAdmission(attempt=attempt, bytes=size)))
        return await self.call(
            "POST", f"{BASE}/images:import/{name}/admit", json=body, **{"role": Role.WORKER, **options}
        )

    async def sealed_account(self, name: str) -> bytes | None:
        """Return the account of an import as it is stored."""
        sealed: bytes | None = await self.value("SELECT credentials FROM imports WHERE name = $1", name)
        return sealed

    async def execute(self, sql: str, *values: Any) -> None:
        async with self.database.connection() as connection:
            await connection.execute(sql, *values)

    async def value(self, sql: str, *values: Any) -> Any:
        async with self.database.connection() as connection:
            return await connection.fetchval(sql, *values)


async def read(response: ClientResponse) -> Answer:
    text = await response.text()
    is_json = "json" in response.content_type and text
    return Answer(status=response.status, headers=response.headers, body=json.loads(text) if is_json else text)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until another process or task has met the condition."""
    async with asyncio.timeout(DEADLINE):
        while not await condition():  # noqa: ASYNC110 - nothing here could set an event
            await asyncio.sleep(0.05)
