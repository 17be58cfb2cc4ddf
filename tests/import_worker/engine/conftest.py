"""An engine for the tests of this folder."""

from collections.abc import Iterator

import pytest

from deploy.local.processes.scratch import Scratch
from deploy.local.servers.docker_engine import DockerEngine
from tests.import_worker.engine.real import started


@pytest.fixture(scope="session")
def engine(scratch: Scratch) -> Iterator[DockerEngine]:
    with started(scratch, "docker") as engine:
        yield engine
