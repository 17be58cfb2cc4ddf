"""A backup of the database is enough: after a restore with an empty broker, every import ends exactly once."""

import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local.servers.postgres import DATABASE, binaries
from deploy.local.stack import Scratch, Stack, merged, synthetic_image
from tests.conftest import manage
from tests.faults.link import Link
from tests.system.conftest import Product, held_transfers, wait_until_held

pytestmark = pytest.mark.xdist_group("backup")

MIB = 1024 * 1024
LAYER = 4 * MIB
# Longer than any pause of a worker on a busy machine: no lease ends before the backup.
LEASE_SECONDS = "10"
# Seconds for pg_dump and pg_restore of a few rows, on a busy machine.
DUMP_SECONDS = 120
# The least time that a real restore takes: no timestamp in the backup is recent. PostgreSQL interval.
AGE = "1 hour"
# Records every transition to a final state; an import that ends twice has two rows.
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


@dataclass(frozen=True, kw_only=True)
class LinkedProduct:
    """A product, and the link through which it reaches its source registry."""

    product: Product
    link: Link


@pytest.fixture
def linked() -> Iterator[LinkedProduct]:
    """A separate stack: the test deletes its database and the content of its broker."""
    settings = {"LEASE_SECONDS": LEASE_SECONDS, "RETRY_BASE_SECONDS": "1"}
    with Scratch() as scratch:
        stack = Stack(scratch, workers=0, fsync=False, settings=settings)
        link = Link(scratch, stack.source.port)
        allowed = {"ALLOWED_PRIVATE": link.host, "PLAIN_HTTP_HOSTS": link.host}
        stack.api.settings = merged(stack.api.settings, allowed)
        with stack, link:
            yield LinkedProduct(product=Product(stack), link=link)


def database_tool(product: Product, name: str, *arguments: str) -> None:
    command = [str(binaries() / name), *arguments, f"--dbname={product.stack.postgres.url}"]
    subprocess.run(command, check=True, capture_output=True, timeout=DUMP_SECONDS)


def back_up(product: Product, file: Path) -> None:
    """Dump the database while everything runs, as docs/backup.md says."""
    database_tool(product, "pg_dump", "--format=custom", f"--file={file}")


def lose_everything(product: Product) -> None:
    """Kill the services, and delete the database and the broker's content."""
    stack = product.stack
    for worker in stack.workers:
        if worker.alive:
            worker.kill()
    stack.api.kill()
    stack.postgres.drop_database(DATABASE)
    stack.postgres.create_database(DATABASE)
    # Deletes the queues, their messages and their bindings.
    manage(stack.rabbitmq, "DELETE", "vhosts/%2F")
    manage(stack.rabbitmq, "PUT", "vhosts/%2F")


def restore(product: Product, file: Path) -> None:
    database_tool(product, "pg_restore", "--exit-on-error", str(file))
    product.sql(MAKE_OLD + COUNT_ENDS)


def start(linked: LinkedProduct, seed: str, count: int) -> dict[int, str]:
    """Start imports through the link; return the repositories of the source by image id."""
    images = [synthetic_image(f"{seed}-{n}", [LAYER], platforms=("linux/amd64",)) for n in range(count)]
    repositories = [linked.product.push(image) for image in images]
    return {linked.product.start(repository, host=linked.link.host): repository for repository in repositories}


def states(product: Product) -> Counter[str]:
    return Counter(product.sql("SELECT state FROM imports").split())


def test_after_a_restore_every_import_reaches_one_end(linked: LinkedProduct, tmp_path: Path) -> None:
    """Imports that were ready, running and queued in the backup become ready, and each ends once.

    The link holds the running import until the backup is complete. The tag of an image that was imported after the
    backup is in the target and unknown to the restored database; importing it again finds it.
    """
    product, file = linked.product, tmp_path / "longshore.dump"
    with product.workers(1):
        ready = start(linked, "before", 2)
        for image in ready:
            product.ready(image)
    with product.workers(1, WORKER_SLOTS="1"):
        with held_transfers(linked.link, LAYER // 2):
            unfinished = start(linked, "unfinished", 4)
            wait_until_held(linked.link)
            back_up(product, file)
        later = start(linked, "later", 1)
        for image in (*unfinished, *later):
            product.ready(image)
        lose_everything(product)
    restore(product, file)
    saved = states(product)
    assert saved == {"ready": 2, "running": 1, "queued": 3}
    product.stack.api.start()
    with product.workers(2):
        for image, repository in (ready | unfinished).items():
            product.verify(product.ready(image), repository)
        repository = next(iter(later.values()))
        product.verify(product.ready(product.start(repository)), repository)
    ends = Counter(product.sql("SELECT import FROM ends").split())
    assert set(ends.values()) == {1}
    assert ends.total() == saved.total() - saved["ready"] + 1
