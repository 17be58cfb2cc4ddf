"""Fixtures of the tests about imports."""

import pytest

from tests.api_service.api import Api
from tests.api_service.imports.reports import Worker, start


@pytest.fixture
async def worker(api: Api, image_source: str) -> Worker:
    """A worker with a claimed import."""
    return await start(api, image_source)
