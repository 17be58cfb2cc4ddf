"""A backup of the database is enough: the broker's content is lost with it, and every import still ends once."""

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.servers.postgres import DATABASE, binaries
from deploy.local.stack import Scratch, Stack, synthetic_image
from tests.conftest import manage
from tests.system.conftest import Product

pytestmark = pytest.mark.xdist_group("backup")

MIB = 1024 * 1024
# Long enough for a dump of what a stopped worker holds, and waited for once by the restored API's reaper.
LEASE_SECONDS = "10"
# Seconds for pg_dump and pg_restore of a few rows, on a busy machine.
DUMP_SECONDS = 120
# What a real restore takes at least, so that nothing that stands in the backup is recent. PostgreSQL's interval.
AGE = "1 hour"
# Every end that an import comes to, whoever brings it there; what ends twice has two rows.
COUNT_ENDS = """
    CREATE TABLE ends (import text, state text);
    CREATE FUNCTION count_end() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO ends VALUES (NEW.name, NEW.state); RETURN NULL; END $$;
    CREATE TRIGGER count_end AFTER UPDATE OF state ON imports FOR EACH ROW
        WHEN (NEW.state IN ('ready', 'failed', 'cancelled')) EXECUTE FUNCTION count_end();
"""
MAKE_OLD = f"""
    UPDATE imports SET due_at = due_at - interval '{AGE}', lease_until = lease_until - interval '{AGE}';
    UPDATE outbox SET due_at = due_at - interval '{AGE}', published_at = published_at - interval '{AGE}';
"""


@pytest.fixture
def own_product() -> Iterator[Product]:
    """A product whose database and broker may go."""
    settings = {"LEASE_SECONDS": LEASE_SECONDS, "RETRY_BASE_SECONDS": "1"}
    with Scratch() as scratch, Stack(scratch, workers=0, fsync=False, settings=settings) as stack:
        yield Product(stack)


def database_tool(product: Product, name: str, *arguments: str) -> None:
    command = [str(binaries() / name), *arguments, f"--dbname={product.stack.postgres.url}"]
    subprocess.run(command, check=True, capture_output=True, timeout=DUMP_SECONDS)


def back_up(product: Product, file: Path) -> None:
    """Dump the database while everything runs, as docs/backup.md says."""
    database_tool(product, "pg_dump", "--format=custom", f"--file={file}")


def lose_everything(product: Product) -> None:
    """Take the services, the database and the broker's content away at once."""
    stack = product.stack
    for worker in stack.workers:
        if worker.alive:
            worker.kill()
    stack.api.kill()
    stack.postgres.drop_database(DATABASE)
    stack.postgres.create_database(DATABASE)
    # With its queues, their messages, and what was bound to them.
    manage(stack.rabbitmq, "DELETE", "vhosts/%2F")
    manage(stack.rabbitmq, "PUT", "vhosts/%2F")


def restore(product: Product, file: Path) -> None:
    database_tool(product, "pg_restore", "--exit-on-error", str(file))
    product.sql(MAKE_OLD + COUNT_ENDS)


def start(product: Product, seed: str, count: int) -> dict[int, str]:
    """Start imports; return the sources' repositories by image."""
    repositories = [
        product.push(synthetic_image(f"{seed}-{n}", [4 * MIB], platforms=("linux/amd64",))) for n in range(count)
    ]
    return {product.start(repository): repository for repository in repositories}


def states(product: Product) -> Counter[str]:
    return Counter(product.sql("SELECT state FROM imports").split())


def test_a_restored_database_brings_every_import_to_one_end(own_product: Product, tmp_path: Path) -> None:
    """Imports that were ready, running and waiting in the backup are ready in the end, each ended once.

    The tag of what is imported after the backup is in the target and unknown here; importing it again finds it.
    """
    product, file = own_product, tmp_path / "longshore.dump"
    with product.workers(1):
        ready = start(product, "before", 2)
        for image in ready:
            product.ready(image)
    waiting = start(product, "waiting", 3)
    with product.workers(1, WORKER_SLOTS="1", STOP_GRACE_SECONDS="0") as (worker,):
        running = start(product, "running", 1)
        product.wait(next(iter(waiting)), states=("running", "ready"))
        os.kill(worker.pid, signal.SIGSTOP)
        back_up(product, file)
        worker.thaw()
        later = start(product, "later", 1)
        for image in (*waiting, *running, *later):
            product.ready(image)
        lose_everything(product)
    restore(product, file)
    saved = states(product)
    assert saved.keys() >= {"ready", "running", "queued"}
    product.stack.api.start()
    with product.workers(2):
        for image, repository in (ready | waiting | running).items():
            product.verify(product.ready(image), repository)
        repository = next(iter(later.values()))
        product.verify(product.ready(product.start(repository)), repository)
    ends = Counter(product.sql("SELECT import FROM ends").split())
    assert set(ends.values()) == {1}
    assert ends.total() == saved.total() - saved["ready"] + 1
