"""The API in this process, and the command in a separate process."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from longshore_client import LongshoreClient
from shared.model.roles import Role
from tests.api_service.api import Api
from tests.api_service.conftest import (  # noqa: F401 - fixtures for this folder, too
    api,
    database,
    database_url,
    image_source,
    open_api,
    settings,
    shared_database,
    source,
)

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "longshore_client.cli")
# Time limit of a command, which takes a second or two on an idle machine. Seconds.
COMMAND_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Done:
    """The outcome of a command."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, kw_only=True)
class Cli:
    """The command `longshore` with a separate home directory."""

    home: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "error",
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            **self.settings,
        }

    @property
    def config(self) -> Path:
        return self.home / "config" / "longshore" / "config.json"

    async def run(self, *arguments: object, stdin: str = "", **environment: str) -> Done:
        """Run the command to its end, without a terminal."""
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *map(str, arguments),
            env=self.environment | environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(COMMAND_SECONDS):
            out, err = await process.communicate(stdin.encode())
        assert "Traceback" not in err.decode()
        return Done(status=process.returncode or 0, out=out.decode(), err=err.decode())


def url_of(api: Api) -> str:  # noqa: F811 - the fixture's value
    return str(api.client.make_url("")).rstrip("/")


@pytest.fixture
def home(tmp_path: Path) -> Cli:
    """The command of a user without a stored login."""
    return Cli(home=tmp_path)


@pytest.fixture
def cli(api: Api, tmp_path: Path) -> Cli:  # noqa: F811 - the fixture's value
    """The command of the user `user`."""
    return Cli(home=tmp_path, settings={"LONGSHORE_URL": url_of(api), "LONGSHORE_TOKEN": api.tokens[Role.USER]})


@pytest.fixture
async def longshore(api: Api) -> AsyncIterator[LongshoreClient]:  # noqa: F811 - the fixture's value
    """The Python client of the user `user`."""
    async with LongshoreClient(url_of(api), api.tokens[Role.USER]) as client:
        yield client
