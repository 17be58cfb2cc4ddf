"""Several workers, and their imports when a worker is killed or stopped."""

import signal
from pathlib import Path

import pytest

from deploy.local.stack import Worker, synthetic_image
from tests.faults.link import Link
from tests.system.conftest import Product, held_transfers, wait_until, wait_until_held

pytestmark = pytest.mark.xdist_group("system")

MIB = 1024 * 1024
# A worker's memory must not depend on the size of a layer. Far below the layer, above Python with its libraries.
MAX_WORKER_MEMORY = 200 * MIB


def start_twenty(product: Product, seed: str, layer: int, link: Link) -> dict[int, str]:
    """Start imports of twenty images that share no layer, through the link; return their repositories by image id."""
    repositories = [
        product.push(synthetic_image(f"{seed}-{n}", [layer], platforms=("linux/amd64",))) for n in range(20)
    ]
    return {product.start(repository, host=link.host): repository for repository in repositories}


def all_ready(product: Product, imports: dict[int, str]) -> None:
    """Wait until all imports are ready, and verify each in the target."""
    for image_id, repository in imports.items():
        product.verify(product.ready(image_id), repository)


def wait_for_running(product: Product, worker: Worker) -> None:
    """Wait until this worker holds a lease."""
    name = worker.settings["WORKER_NAME"]
    wait_until(lambda: product.sql(f"SELECT count(*) FROM imports WHERE lease_owner = '{name}'") != "0")


def leased(product: Product) -> int:
    return int(product.sql("SELECT count(*) FROM imports WHERE lease_until IS NOT NULL"))


def test_a_killed_worker_loses_no_import(product: Product, source_link: Link) -> None:
    """Two workers share twenty imports; one is killed in the middle of a layer; all twenty become ready."""
    with product.workers(2) as workers:
        with held_transfers(source_link, 4 * MIB):
            imports = start_twenty(product, "kill", 8 * MIB, source_link)
            wait_for_running(product, workers[0])
            wait_until_held(source_link)
            workers[0].kill()
        all_ready(product, imports)
    shares = product.sql("SELECT count(DISTINCT attempt) FROM imports WHERE source LIKE '%test/%'")
    assert int(shares) >= 1
    assert leased(product) == 0


def test_a_stopped_worker_hands_its_imports_back(product: Product, source_link: Link) -> None:
    """After SIGTERM in the middle of a layer the worker exits and leaves no lease; another worker continues."""
    with held_transfers(source_link, 4 * MIB), product.workers(1, STOP_GRACE_SECONDS="0") as (stopping,):
        imports = start_twenty(product, "stop", 8 * MIB, source_link)
        wait_until_held(source_link)
        assert stopping.process
        stopping.process.send(signal.SIGTERM)
        assert stopping.process.wait(20) == 0
        assert leased(product) == 0
    with product.workers(1):
        all_ready(product, imports)
    assert "import.handed_back" in Path(stopping.process.log).read_text()


def test_a_layers_size_does_not_matter_to_a_workers_memory(product: Product) -> None:
    """A worker streams a layer of 1 GiB in bounded memory."""
    repository = product.push(synthetic_image("large", [1024 * MIB], platforms=("linux/amd64",)))
    with product.workers() as (worker,):
        product.ready(product.start(repository))
        status = Path(f"/proc/{worker.pid}/status").read_text()
    peak = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    print(f"peak memory of the worker: {peak / MIB:.0f} MiB")  # noqa: T201 - shown with pytest -s
    assert peak < MAX_WORKER_MEMORY
