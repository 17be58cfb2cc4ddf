"""Real servers for the tests: one set per test process, which ends with the process even if that is killed."""

import json
import secrets
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.local.permissive_rule import PERMISSIVE_RULE
from deploy.local.servers.registry import DISTRIBUTION_3
from deploy.local.stack import BasicAuth, Postgres, RabbitMQ, Registry, Scratch, worker_settings
from shared.db.migrations.migrate import grant_to_workers, migrate
from tests.logs.plugin import (
    pytest_configure,
    pytest_runtest_logreport,
    pytest_sessionfinish,
    pytest_terminal_summary,
)

# pytest finds these hooks by their names.
__all__ = ["pytest_configure", "pytest_runtest_logreport", "pytest_sessionfinish", "pytest_terminal_summary"]

TEMPLATE = "longshore_template"


@pytest.fixture(scope="session")
def scratch() -> Iterator[Scratch]:
    with Scratch() as scratch:
        yield scratch


@pytest.fixture(scope="session")
def postgres(scratch: Scratch) -> Iterator[Postgres]:
    """PostgreSQL with a migrated database to clone, in which users may import to every target."""
    with Postgres(scratch, fsync=False) as postgres:
        url = postgres.create_database(TEMPLATE)
        # Alembic runs its own event loop, which needs a thread without one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(migrate, url).result()
            thread.submit(grant_to_workers, url, postgres.worker_url).result()
        postgres.execute(PERMISSIVE_RULE, database=TEMPLATE)
        yield postgres


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    """A fresh database with the schema."""
    name = f"test_{secrets.token_hex(6)}"
    yield postgres.create_database(name, template=TEMPLATE)
    postgres.drop_database(name)


@pytest.fixture
def worker_database_url(postgres: Postgres, database_url: str) -> str:
    """The URL of the same database under the workers' role, whose grants a clone of the template has."""
    return worker_settings({"DATABASE_URL": database_url, "WORKER_DATABASE_URL": postgres.worker_url})["DATABASE_URL"]


@pytest.fixture(scope="session")
def rabbitmq(scratch: Scratch) -> Iterator[RabbitMQ]:
    with RabbitMQ(scratch) as rabbitmq:
        yield rabbitmq


@pytest.fixture
def amqp_url(rabbitmq: RabbitMQ) -> Iterator[str]:
    """The URL of a virtual host for this test alone, so that tests do not consume each other's messages."""
    name = f"test-{secrets.token_hex(6)}"
    manage(rabbitmq, "PUT", f"vhosts/{name}")
    yield f"amqp://{rabbitmq.username}:{rabbitmq.password}@127.0.0.1:{rabbitmq.port}/{name}"
    manage(rabbitmq, "DELETE", f"vhosts/{name}")


@pytest.fixture(scope="session")
def source_registry(scratch: Scratch) -> Iterator[Registry]:
    """A private registry, which requires a user and a password."""
    with Registry(scratch, name="source", auth=BasicAuth()) as registry:
        yield registry


@pytest.fixture(scope="session")
def public_registry(scratch: Scratch) -> Iterator[Registry]:
    """A registry without authentication."""
    with Registry(scratch, name="public") as registry:
        yield registry


@pytest.fixture(scope="session")
def target_registry(scratch: Scratch) -> Iterator[Registry]:
    with Registry(scratch, name="target") as registry:
        yield registry


@pytest.fixture(scope="session")
def distribution_3() -> Path:
    """The registry that keeps sessions of cut uploads. Its first build takes minutes: a test needs BUILD_SECONDS."""
    if reason := DISTRIBUTION_3.why_unavailable(build=True):
        pytest.skip(f"distribution 3: {reason}")
    return DISTRIBUTION_3.path


@pytest.fixture
def repository() -> str:
    """A repository name that no other test uses."""
    return f"test/{secrets.token_hex(6)}"


def manage(rabbitmq: RabbitMQ, method: str, path: str, body: object = None) -> bytes:
    """Call RabbitMQ's management API."""
    login = b64encode(f"{rabbitmq.username}:{rabbitmq.password}".encode()).decode()
    request = urllib.request.Request(
        f"{rabbitmq.management}/api/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Basic {login}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        content: bytes = response.read()
    return content
