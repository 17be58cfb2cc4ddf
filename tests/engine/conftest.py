"""An engine for the tests of this folder."""

from collections.abc import Iterator

import pytest

from deploy.local.docker_engine import DockerEngine
from deploy.local.scratch import Scratch
from tests.engine.real import started


@pytest.fixture(scope="session")
def engine(scratch: Scratch) -> Iterator[DockerEngine]:
    with started(scratch, "docker") as engine:
        yield engine
