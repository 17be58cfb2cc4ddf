"""The servers of the API's benchmark: the private stack, one API for each size of list, and the bare endpoint."""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.api.client import Endpoint
from benchmarks.api.fill import Filled, fill
from benchmarks.api.still_registry import SOURCE
from deploy.local.paths import ROOT
from deploy.local.processes.server import LOOPBACK, Server, accepts
from deploy.local.stack import Api, Scratch, Stack
from shared.db.access.tokens import create_token
from shared.db.database import open_database
from shared.db.migrations.migrate import migrate
from shared.model.roles import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.local.processes.scratch import Process

# The settings that allow the API to call the registry.
CALLED = ("ALLOWED_PRIVATE", "PLAIN_HTTP_HOSTS")


@dataclass(frozen=True, kw_only=True)
class Size:
    """An API with a list of one size."""

    name: str
    filled: Filled
    endpoint: Endpoint
    database: str


@dataclass(frozen=True, kw_only=True)
class Arena:
    """All servers. `source` is a repository that has every tag."""

    few: Size
    many: Size
    bare: Endpoint
    source: str


class Script(Server):
    """One of the benchmark's own servers; its port is its last argument."""

    def __init__(self, scratch: Scratch, module: str, *arguments: str) -> None:
        super().__init__(scratch, module)
        self.port = scratch.ports.reserve()
        self.arguments = arguments

    @property
    def host(self) -> str:
        """host:port."""
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """Do nothing."""

    def launch(self) -> Process:
        """Start the server."""
        command = [sys.executable, "-m", f"benchmarks.api.{self.name}", *self.arguments, str(self.port)]
        return self.scratch.spawn(self.name, command, env={"PYTHONPATH": str(ROOT)})

    def probe(self) -> bool:
        """Connect to the port."""
        return accepts(self.port)


@contextmanager
def arena(few: int, many: int) -> Iterator[Arena]:
    """Start everything, with fsync on, and fill the two lists."""
    with ExitStack() as parts:
        scratch = parts.enter_context(Scratch())
        registry = parts.enter_context(Script(scratch, "still_registry"))
        called = dict.fromkeys(CALLED, registry.host)
        stack = parts.enter_context(
            Stack(scratch, workers=0, settings=called | {"TARGET_URL": f"http://{registry.host}"})
        )
        bare = Script(scratch, "bare_endpoint", stack.postgres.url, stack.rabbitmq.amqp)
        yield Arena(
            few=_size(stack, parts, f"{few:,} images", few),
            many=_size(stack, parts, f"{many:,} images", many),
            bare=Endpoint(url=f"http://{parts.enter_context(bare).host}"),
            source=f"{registry.host}/{SOURCE}/team/image",
        )


def _size(stack: Stack, parts: ExitStack, name: str, images: int) -> Size:
    """Start an API with its own database."""
    database = stack.postgres.create_database(f"list_{images}")
    settings = stack.api.settings | {"DATABASE_URL": database}
    api = Api(stack.scratch, settings, name=f"api-{images}")
    migrate(database)
    filled, token = asyncio.run(_fill(database, images))
    parts.enter_context(api)
    return Size(name=name, filled=filled, endpoint=Endpoint(url=api.url, token=token), database=database)


async def _fill(database: str, images: int) -> tuple[Filled, str]:
    async with open_database(database, application="benchmark", size=1) as opened, opened.connection() as connection:
        token = await create_token(connection, user="benchmark", role=Role.USER, lifetime=None)
    return await fill(database, images), token
