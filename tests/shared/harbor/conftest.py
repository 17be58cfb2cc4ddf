"""The stand-in for Harbor in this process, in front of a docker-registry, and the client for it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from deploy.local.images.image import Image, Manifest
from deploy.local.servers.harbor.app import create_app
from deploy.local.servers.harbor.settings import ROBOT_ACTIONS, Robot, Settings, User
from deploy.local.servers.harbor.state import State
from deploy.local.stack import Registry, Remote, Scratch, synthetic_image
from shared.harbor.client import Harbor, open_harbor
from shared.model.credential import Credential
from shared.network.policy import NetworkPolicy
from tests.scripted.hostile import HostileRegistry
from tests.shared.harbor.recorder import Recorder
from tests.shared.harbor.swagger import description

LOOPBACK = "127.0.0.1"
ADMIN = Credential("admin", "Harbor:12345§")
MEMBER = Credential("mia", "password-of-mia")
GUEST = Credential("gus", "password-of-gus")
# Harbor's robot names contain a special character: `$`.
ROBOT = Credential("robot$importer", "s3cr3t-of-the-robot")
SYSTEM_ROBOT = Credential("robot$system", "s3cr3t-of-the-system-robot")
PROJECT = "imports"

USERS = (
    User(name=ADMIN.username, password=ADMIN.password, admin=True),
    User(name=MEMBER.username, password=MEMBER.password, roles={PROJECT: "developer"}),
    User(name=GUEST.username, password=GUEST.password, roles={PROJECT: "guest"}),
)
ROBOTS = (
    Robot(name=ROBOT.username, secret=ROBOT.password, projects=(PROJECT,)),
    Robot(name=SYSTEM_ROBOT.username, secret=SYSTEM_ROBOT.password, actions=(*ROBOT_ACTIONS, "create", "quota")),
)


@dataclass
class StandIn:
    """The running stand-in: its address, its state, and its recorded requests."""

    host: str
    state: State
    recorder: Recorder = field(default_factory=Recorder)

    def remote(self, credential: Credential = ADMIN) -> Remote:
        return Remote(f"http://{self.host}", username=credential.username, password=credential.password)

    async def push(self, repository: str, tag: str, image: Image) -> None:
        """Push a whole image with a client independent of the product."""
        await asyncio.to_thread(self.remote().push, repository, tag, image)

    async def put(self, repository: str, reference: str, manifest: Manifest) -> None:
        """Push one manifest."""
        await asyncio.to_thread(self.remote().push_manifest, repository, reference, manifest)

    def tags(self, repository: str) -> dict[str, str]:
        """Return the digest of every tag of a repository."""
        return {tag.name: tag.digest for tag in self.state.repository(repository).tags.values()}


@pytest.fixture(scope="session")
def behind(scratch: Scratch) -> Iterator[Registry]:
    """The docker-registry behind the stand-in."""
    with Registry(scratch, name="behind-harbor") as registry:
        yield registry


@asynccontextmanager
async def standing_in(settings: Settings, upstream: str) -> AsyncIterator[StandIn]:
    state, recorder = State(), Recorder()
    app = create_app(settings, upstream, state=state, middlewares=[recorder.middleware])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, LOOPBACK, 0)
    await site.start()
    try:
        yield StandIn(f"{LOOPBACK}:{runner.addresses[0][1]}", state, recorder)
    finally:
        await runner.cleanup()
    described = description()
    assert not [
        text for exchange in recorder.exchanges for text in (described.complaints(exchange) if described else ())
    ]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def standin(behind: Registry) -> AsyncIterator[StandIn]:
    """A Harbor with the usual accounts and one private project; each exchange is checked against Harbor's API.

    Without the file of the API description, the exchanges are not checked, and test_contract reports that.
    """
    async with standing_in(Settings(users=USERS, robots=ROBOTS), behind.url) as running:
        running.state.create_project(PROJECT)
        yield running


class Opener:
    """Opens clients, which are closed when the test ends."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def __call__(self, host: str, credential: Credential | None = ADMIN) -> Harbor:
        policy = NetworkPolicy.of(plain_http=[host], trusted=True)
        return await self._stack.enter_async_context(open_harbor(policy, host, credential))


@pytest.fixture
async def opened(stack: AsyncExitStack) -> Opener:
    return Opener(stack)


@pytest.fixture
async def harbor(opened: Opener, standin: StandIn) -> Harbor:
    """The client with the account of Harbor's administrator."""
    return await opened(standin.host)


@pytest.fixture
async def hostile() -> AsyncIterator[HostileRegistry]:
    async with HostileRegistry() as server:
        yield server


@pytest.fixture
async def against(opened: Opener, hostile: HostileRegistry) -> Harbor:
    """The client of a server that sends scripted answers."""
    return await opened(hostile.host)


@pytest.fixture
def name() -> str:
    """A repository's name within its project, with slashes, as imports create it."""
    return f"docker.io/library/{secrets.token_hex(6)}"


@pytest.fixture
def image() -> Image:
    """A multi-platform image that no other test uses."""
    return synthetic_image(secrets.token_hex(6), [500, 2_000], shared=1)


@pytest.fixture
def single() -> Image:
    """An image for one platform, without an index."""
    return synthetic_image(secrets.token_hex(6), [700], platforms=("linux/amd64",), index=False)
