"""Several workers, and what happens to their imports when they are killed or stopped."""

import signal
import time
from pathlib import Path

import pytest

from deploy.local.stack import Worker, synthetic_image
from tests.system.conftest import PATIENCE, POLL_SECONDS, Product

pytestmark = pytest.mark.xdist_group("system")

MIB = 1024 * 1024
# The issue of memory: a layer's size must not matter. Far below the layer, above Python with its libraries.
MAX_WORKER_MEMORY = 200 * MIB


def start_twenty(product: Product, seed: str, layer: int) -> dict[int, str]:
    """Start imports of twenty images that share no layer; return their repositories by image id."""
    repositories = [
        product.push(synthetic_image(f"{seed}-{n}", [layer], platforms=("linux/amd64",))) for n in range(20)
    ]
    return {product.start(repository): repository for repository in repositories}


def all_ready(product: Product, imports: dict[int, str]) -> None:
    """Wait for all of them and verify each in the target."""
    for image_id, repository in imports.items():
        product.verify(product.ready(image_id), repository)


def wait_for_running(product: Product, worker: Worker) -> None:
    """Wait until this worker holds a lease."""
    name = worker.settings["WORKER_NAME"]
    limit = time.monotonic() + PATIENCE
    while product.sql(f"SELECT count(*) FROM imports WHERE lease_owner = '{name}'") == "0":
        assert time.monotonic() < limit
        time.sleep(POLL_SECONDS / 5)


def leased(product: Product) -> int:
    return int(product.sql("SELECT count(*) FROM imports WHERE lease_until IS NOT NULL"))


def test_a_killed_worker_loses_no_import(product: Product) -> None:
    """Two workers share twenty imports; one dies in the middle; all twenty end ready and verified."""
    with product.workers(2) as workers:
        imports = start_twenty(product, "kill", 8 * MIB)
        wait_for_running(product, workers[0])
        workers[0].kill()
        all_ready(product, imports)
    shares = product.sql("SELECT count(DISTINCT attempt) FROM imports WHERE source LIKE '%test/%'")
    assert int(shares) >= 1
    assert leased(product) == 0


def test_a_stopped_worker_hands_its_imports_back(product: Product) -> None:
    """SIGTERM in the middle: the worker ends by itself, nothing is left leased, another one goes on."""
    with product.workers(1, STOP_GRACE_SECONDS="0") as (stopping,):
        imports = start_twenty(product, "stop", 8 * MIB)
        wait_for_running(product, stopping)
        assert stopping.process
        stopping.process.send(signal.SIGTERM)
        assert stopping.process.wait(20) == 0
        assert leased(product) == 0
    with product.workers(1):
        all_ready(product, imports)
    assert "handed back" in Path(stopping.process.log).read_text()


def test_a_layers_size_does_not_matter_to_a_workers_memory(product: Product) -> None:
    """One layer of 1 GiB streams through in bounded memory."""
    repository = product.push(synthetic_image("large", [1024 * MIB], platforms=("linux/amd64",)))
    with product.workers() as (worker,):
        product.ready(product.start(repository))
        status = Path(f"/proc/{worker.pid}/status").read_text()
    peak = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    print(f"peak memory of the worker: {peak / MIB:.0f} MiB")  # noqa: T201 - shown with pytest -s
    assert peak < MAX_WORKER_MEMORY
