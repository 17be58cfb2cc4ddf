"""Fixtures of the tests that copy between dictionaries."""

import pytest

from deploy.local.images.image import Image
from deploy.local.images.synthetic import synthetic_image
from shared.runtime.backoff import Backoff

# Configs are read and sent as a whole, layers are streamed. Bytes.
SMALL = 2_000


@pytest.fixture
def image() -> Image:
    return synthetic_image("copy", [5_000, 12_345, 0], shared=1)


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry almost at once, since no real server needs a pause, and stream layers of a few kilobytes."""
    monkeypatch.setattr("import_worker.copying.stream.BLOB_RETRY", Backoff(first=0.001, maximum=0.01))
    monkeypatch.setattr("import_worker.copying.transfer.WHOLE_SIZE", SMALL)
    monkeypatch.setattr("import_worker.copying.blob.POLL_INTERVAL", 0.001)
