"""A target with a tag that a pipeline has pushed straight to it, behind an API in front of each kind of target."""

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any

import pytest

from api_service.rules.keys import RULE_BOOK
from deploy.local.images.image import Image
from deploy.local.images.synthetic import synthetic_image
from shared.model.roles import Role
from tests.api_service.api import BASE, Answer
from tests.api_service.images.deletion.conftest import harbor, managed, on_plain, opened, place, plain, standin
from tests.api_service.managed import PROJECT, Managed

# These fixtures are not used in this file, but by the tests of this folder.
__all__ = ("harbor", "managed", "on_plain", "opened", "place", "plain", "standin")

TAG = "stable"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A repository of the target, and a source of a user's own."""

    managed: Managed
    repository: str
    source: str
    image: Image

    @property
    def body(self) -> dict[str, Any]:
        return {"source": self.source, "target": f"{self.repository}:{TAG}"}

    async def push(self, seed: str = "pipeline's") -> Image:
        """Push an image straight to the tag, as a pipeline does."""
        image = synthetic_image(f"{self.repository}{seed}", [700], platforms=("linux/amd64",), index=False)
        await asyncio.to_thread(self.managed.target.push, self.repository, TAG, image)
        return image

    async def serves(self) -> str | None:
        return await self.managed.serves(self.repository, TAG)

    async def post(self, *, role: Role = Role.USER, **more: Any) -> Answer:
        return await self.managed.api.post_import({**self.body, **more}, role=role)

    async def retry(self, image_id: int) -> Answer:
        return await self.managed.api.call("POST", f"{BASE}/images/{image_id}/importing:retry")

    async def stored(self) -> tuple[str | None, bool]:
        """Return what the newest import has recorded about the tag."""
        async with self.managed.api.database.connection() as connection:
            row = await connection.fetchrow("SELECT tag_before, replaces_foreign FROM imports ORDER BY id DESC LIMIT 1")
        assert row is not None
        return row["tag_before"], row["replaces_foreign"]

    async def allow_replacing(self, *, allowed: bool = True) -> None:
        """Change the tests' rule as an admin can."""
        await self.managed.api.execute("UPDATE import_rules SET overwrite_foreign = $1", allowed)
        self.managed.api.client.app[RULE_BOOK].forget()


@pytest.fixture
def case(managed: Managed) -> Case:
    origin = f"origin/{secrets.token_hex(6)}"
    return Case(
        managed=managed,
        repository=f"{PROJECT}/payments-api-{secrets.token_hex(6)}",
        source=f"{managed.source.host}/{origin}:1.0",
        image=managed.source.push(origin),
    )
