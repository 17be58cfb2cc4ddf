"""The API in this process, with an own database and real registries."""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import TypeAlias

import pytest
from aiohttp.test_utils import TestClient, TestServer

from api_service.app import create_app
from api_service.imports.retry_policy import RetryPolicy
from api_service.parts import (
    Part,
    audit_part,
    database_part,
    images_part,
    imports_part,
    notifications_part,
    oidc_part,
    registry_clients_part,
    rules_part,
    tokens_part,
)
from api_service.settings import Settings
from deploy.local.images.image import Image
from deploy.local.images.synthetic import synthetic_image
from deploy.local.permissive_rule import PERMISSIVE_RULE
from deploy.local.processes.server import new_key
from deploy.local.stack import Postgres, Registry, Remote
from shared.db.access.tokens import create_token
from shared.db.database import Database, open_database
from shared.model.roles import Role
from shared.network.policy import NetworkPolicy
from shared.runtime.secret_box import SecretBox
from shared.settings import SharedSettings
from shared.target.settings import TargetSettings
from tests.api_service.api import LEASE, Api
from tests.api_service.auth.oidc_issuer import Issuer
from tests.conftest import TEMPLATE
from tests.scripted.hostile import HostileRegistry

# The parts that answer requests, without RabbitMQ and background loops.
REQUESTS_ONLY: Sequence[Part] = (
    database_part,
    audit_part,
    notifications_part,
    registry_clients_part,
    oidc_part,
    rules_part,
    tokens_part,
    imports_part,
    images_part,
)
# The operator allows any registry on this machine. Nothing listens on port 1.
ALLOWED = ("127.0.0.1",)

OpenApi: TypeAlias = Callable[..., AbstractAsyncContextManager[Api]]


class Source:
    """A real source registry without accounts."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.host = registry.host

    def push(
        self,
        repository: str,
        tag: str = "1.0",
        *,
        seed: str = "",
        platforms: Sequence[str] = ("linux/amd64", "linux/arm64"),
        index: bool = True,
    ) -> Image:
        """Push a small image; another seed gives another digest."""
        image = synthetic_image(f"{repository}{seed}", [1500], platforms=platforms, index=index)
        Remote.of(self.registry).push(repository, tag, image)
        return image


@pytest.fixture(scope="session")
def shared_database(postgres: Postgres) -> Iterator[str]:
    name = f"api_{secrets.token_hex(6)}"
    yield postgres.create_database(name, template=TEMPLATE)
    postgres.drop_database(name)


@pytest.fixture
def database_url(postgres: Postgres, shared_database: str) -> str:
    """One database for many small tests, truncated before each: ten times as fast as a new one."""
    tables = (
        "images, imports, import_layers, outbox, api_tokens, blobs, source_registries, registry_limits, audit_events, "
        "import_rules, import_usage, companion_tags, registry_tests, tag_writes, target_uploads"
    )
    statements = f"TRUNCATE {tables} RESTART IDENTITY CASCADE; {PERMISSIVE_RULE}"
    postgres.execute(statements, database=shared_database.rpartition("/")[2])
    return shared_database


@pytest.fixture
def source(public_registry: Registry) -> Source:
    return Source(public_registry)


@pytest.fixture
def image_source(source: Source, repository: str) -> str:
    """A reference to an image that exists."""
    source.push(repository)
    return f"{source.host}/{repository}:1.0"


@pytest.fixture
async def hostile() -> AsyncIterator[HostileRegistry]:
    """A registry that answers as the test says."""
    async with HostileRegistry() as registry:
        yield registry


class _AnyLoopback(frozenset[str]):
    """Plain http for every port of this machine: tests do not know the ports in advance."""

    def __contains__(self, host: object) -> bool:
        return str(host).startswith("127.0.0.1:")


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Settings without RabbitMQ and target: nothing listens on their ports."""
    network = replace(NetworkPolicy.of(allowed_private=ALLOWED), plain_http=_AnyLoopback())
    return Settings(
        shared=SharedSettings(
            database_url=database_url,
            amqp_url="amqp://guest:guest@127.0.0.1:1/",
            target=TargetSettings(host="127.0.0.1:1", credential=None),
            source_network=network,
            target_network=replace(network, trusted=True),
            log_style="json",
            log_level="INFO",
        ),
        secrets=SecretBox([new_key()]),
        host="127.0.0.1",
        port=0,
        default_project="imports",
        target_name="harbor.example.com",
        drop_host_for=frozenset(),
        lease=LEASE,
        retries=RetryPolicy(max_failures=3, base=10),
    )


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url, application="test", size=5) as database:
        yield database


@pytest.fixture
def open_api(database: Database) -> OpenApi:
    """Returns a context manager that runs an API with given settings and parts."""

    @asynccontextmanager
    async def opened(settings: Settings, parts: Sequence[Part] = REQUESTS_ONLY) -> AsyncIterator[Api]:
        app = create_app(settings, parts)
        async with TestClient(TestServer(app)) as client:
            yield Api(client=client, database=database, tokens=await _tokens(database))

    return opened


@pytest.fixture
async def api(open_api: OpenApi, settings: Settings) -> AsyncIterator[Api]:
    """An API that answers requests; messages stay in the outbox."""
    async with open_api(settings) as api:
        yield api


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """An OIDC issuer, with one key."""
    async with Issuer().running() as issuer:
        yield issuer


@pytest.fixture
async def jwt_api(open_api: OpenApi, settings: Settings, issuer: Issuer) -> AsyncIterator[Api]:
    """An API that accepts the issuer's tokens, too."""
    async with open_api(replace(settings, oidc=issuer.settings())) as api:
        yield api


async def _tokens(database: Database) -> dict[Role, str]:
    """Create a token for each role; the user has the role's name."""
    async with database.connection() as connection:
        return {role: await create_token(connection, user=role.value, role=role, lifetime=None) for role in Role}
