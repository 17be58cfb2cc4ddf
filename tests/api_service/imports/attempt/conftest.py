"""The queue of the tests about attempts."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from api_service.settings import Settings
from shared.target.settings import TargetSettings
from tests.api_service.api import Api
from tests.api_service.imports.attempt.queue import Queue
from tests.scripted.hostile import HostileRegistry


@pytest.fixture
async def target() -> AsyncIterator[HostileRegistry]:
    """A target that answers as the test says."""
    async with HostileRegistry() as registry:
        yield registry


@pytest.fixture
def settings(settings: Settings, target: HostileRegistry) -> Settings:
    return replace(settings, shared=replace(settings.shared, target=TargetSettings(host=target.host, credential=None)))


@pytest.fixture
async def queue(api: Api, settings: Settings) -> Queue:
    """An empty queue, without any rule."""
    await api.execute("DELETE FROM import_rules")
    return Queue(api=api, secrets=settings.secrets)
