"""Imports of a user, queued by a rule of a test: no registry is needed for what happens when a worker claims them."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
from typing import Any

from api_service.imports.attempt.admit import ImageAdmitter
from api_service.imports.keys import ADMITTER
from shared.db.access import import_rules
from shared.db.database import Connection
from shared.db.new_import import NewImage, NewImport
from shared.messages.attempt_start import NO_TAG, AttemptTerms, ImageAdmission, load_terms
from shared.model.import_rule import RuleValues
from shared.model.owner import Owner, Requester
from shared.model.roles import Role
from shared.model.sealed_account import seal_account
from shared.runtime.secret_box import SecretBox
from tests.api_service.api import Answer, Api

HOST = "quay.io"
ADA = Requester(user="ada", owner=Owner(subject="ada"), role=Role.USER)
_NUMBERS = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class Queued:
    """One import in the queue; `attempt` is the newest claim's number."""

    queue: "Queue"
    id: int
    image_id: int
    name: str
    attempt: int = 0

    async def claim(self) -> "Queued":
        claimed = await self.queue.api.claim_only(self.name)
        return replace(self, attempt=claimed.attempt)

    async def begin(self) -> Answer:
        return await self.queue.api.begin(self.name, self.attempt)

    async def terms(self) -> AttemptTerms:
        """Begin the attempt, which must go on."""
        answer = await self.begin()
        assert answer.status == 200, answer
        return load_terms(answer.body)

    async def admit(self, size: int) -> Answer:
        return await self.queue.api.admit(self.name, size, self.attempt)

    async def value(self, column: str) -> Any:
        return await self.queue.api.value(f"SELECT {column} FROM imports WHERE id = $1", self.id)

    async def failure(self) -> tuple[Any, Any]:
        """Return the import's state and error code."""
        return await self.value("state"), await self.value("error_code")


@dataclass(kw_only=True)
class Queue:
    """Adds rules and imports."""

    api: Api
    secrets: SecretBox
    rules: list[int] = field(default_factory=list)

    async def rule(self, name: str = "team", **values: Any) -> int:
        """Add a rule for everybody, from anywhere into the project `team`, unless it is given otherwise."""
        given = RuleValues(
            name=f"{name}-{next(_NUMBERS)}",
            **{"subjects": ("everybody",), "sources": ("**",), "targets": ("team/**",), **values},
        )
        async with self.api.database.connection() as connection:
            stored = await import_rules.insert_rule(connection, given, user="admin")
        self.rules.append(stored.rule.id)
        return stored.rule.id

    async def change(self, rule_id: int, assignment: str, *values: Any) -> None:
        await self.api.execute(f"UPDATE import_rules SET {assignment} WHERE id = $1", rule_id, *values)

    async def delete_rule(self, rule_id: int) -> None:
        await self.api.execute("DELETE FROM import_rules WHERE id = $1", rule_id)

    async def add(
        self,
        rule_id: int | None,
        *,
        by: Requester = ADA,
        account: Any = None,
        tag_before: str | None = NO_TAG,
        **more: Any,
    ) -> Queued:
        """Queue an import of a new image into `team/app`."""
        name = f"app-{next(_NUMBERS)}-x"
        new = NewImport(
            name=name,
            source=f"{HOST}/ada/app:1.0",
            credentials=seal_account(self.secrets, account, host=HOST),
            requester=by,
            rule_id=rule_id,
            tag_before=tag_before,
            **more,
        )
        image = NewImage(registry_host="harbor.example.com", repository="team/app", tag=name, description="")
        image_id = await self.api.queue.add_first(image, new, most_open=100)
        assert image_id
        import_id = await self.api.value("SELECT id FROM imports WHERE name = $1", name)
        return Queued(queue=self, id=import_id, image_id=image_id, name=name)

    async def claimed(self, rule_id: int | None, **more: Any) -> Queued:
        return await (await self.add(rule_id, **more)).claim()

    async def begun(self, rule_id: int | None, **more: Any) -> Queued:
        queued = await self.claimed(rule_id, **more)
        await queued.terms()
        return queued

    async def usage(self, rule_id: int) -> dict[str, int]:
        """Return the bytes by month."""
        async with self.api.database.connection() as connection:
            rows = await connection.fetch(
                "SELECT to_char(month, 'YYYY-MM') AS month, bytes FROM import_usage WHERE rule_id = $1", rule_id
            )
        return {row["month"]: row["bytes"] for row in rows}

    def admitter_at(self, now: datetime) -> ImageAdmitter:
        """Return the API's admitter with another clock."""
        admitter = self.api.client.app[ADMITTER]
        assert isinstance(admitter, ImageAdmitter)

        async def clock(_: Connection) -> datetime:
            return now

        return replace(admitter, rules=replace(admitter.rules, clock=clock))


async def admit_at(queued: Queued, size: int, now: datetime) -> bool:
    """Have the bytes admitted at this time; False if the import is ended."""
    token = queued.queue.api.claim_tokens[queued.name, queued.attempt]
    admission = ImageAdmission(attempt=queued.attempt, claim_token=token, bytes=size)
    return await queued.queue.admitter_at(now).admit(queued.name, admission) is not None


async def until_answered(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Repeat a request while the API is busy, as a worker does: twenty at once wait for one account."""
    while True:
        answer = await ask()
        if answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
            return answer
        await asyncio.sleep(0.1)
