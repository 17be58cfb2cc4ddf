"""A source with a rate limit: its imports wait without sending requests and without counting attempts."""

from collections.abc import Iterator

import pytest

from deploy.local.stack import synthetic_image
from tests.system.conftest import Links, Product
from tests.system.limited_registry import LimitedRegistry

pytestmark = pytest.mark.xdist_group("system")

MIB = 1024 * 1024
# Longer than a worker waits within an attempt, and than a few other imports take. Seconds.
LIMIT = 20.0
IMPORTS = 6


@pytest.fixture
def limited(product: Product, links: Links) -> Iterator[LimitedRegistry]:
    """The source registry behind a rate limit."""
    with LimitedRegistry(product.stack.source, links.spare_port).running() as limited:
        yield limited


def start_from(product: Product, limited: LimitedRegistry, repository: str) -> int:
    """Start an import through the limited address."""
    request = product.request_for(repository)
    status, answer = product.post(request | {"source": f"{limited.host}/{repository}:latest"})
    assert (status, answer["state"]) == (200, 1), answer
    image_id: int = answer["imageId"]
    return image_id


def push(product: Product, seed: str, layers: list[int]) -> str:
    return product.push(synthetic_image(seed, layers, platforms=("linux/amd64",)))


def failures(product: Product, image_ids: list[int]) -> int:
    """Return the number of failed attempts of these imports."""
    return int(product.sql(f"SELECT sum(failures) FROM imports WHERE image_id IN ({listed(image_ids)})"))


def listed(numbers: list[int]) -> str:
    return ",".join(map(str, numbers))


def test_a_limit_parks_every_import_of_its_source_and_no_other(product: Product, limited: LimitedRegistry) -> None:
    """One request is refused; then two workers and the API wait until the limit ends."""
    repositories = [push(product, f"limited-{n}", [200_000]) for n in range(IMPORTS)]
    neighbours = [push(product, f"neighbour-{n}", [200_000]) for n in range(3)]
    with product.workers(2):
        limited.limit(LIMIT)
        waiting = [start_from(product, limited, repository) for repository in repositories]
        details = [product.wait(image_id, states={"waiting"}) for image_id in waiting]
        assert {each["error"]["code"] for each in details} == {"source_rate_limited"}
        assert all(each["message"].startswith(f"Resumes at {each['resumesAt']}") for each in details)
        for repository in neighbours:
            product.verify(product.ready(product.start(repository)), repository)
        assert limited.limited, "the neighbours were to be ready before the limit ends"
        for image_id, repository in zip(waiting, repositories, strict=True):
            product.verify(product.ready(image_id), repository)
    # The API's first request.
    assert len(limited.refused) == 1, limited.refused
    assert failures(product, waiting) == 0
    due = product.sql(f"SELECT count(DISTINCT due_at) FROM imports WHERE image_id IN ({listed(waiting)})")
    assert int(due) == IMPORTS


def test_an_import_that_is_limited_in_the_middle_frees_its_slot(product: Product, limited: LimitedRegistry) -> None:
    """The worker's only slot runs another import meanwhile; finished blobs are not transferred again."""
    repository, neighbour = push(product, "middle", [4 * MIB, 3 * MIB, 2 * MIB]), push(product, "meanwhile", [200_000])
    # The configuration, which planning reads, and one layer: usually the largest, but checks of the target may reorder.
    limited.limit_after(2, LIMIT)
    with product.workers(1, WORKER_SLOTS="1", WORKER_LAYERS="1"):
        image_id = start_from(product, limited, repository)
        details = product.wait(image_id, states={"waiting"})
        assert details["error"]["code"] == "source_rate_limited"
        assert details["bytesDone"] >= MIB
        product.verify(product.ready(product.start(neighbour)), neighbour)
        assert limited.limited, "the neighbour was to be ready before the limit ends"
        ready = product.ready(image_id)
    product.verify(ready, repository)
    assert len(limited.refused) == 1, limited.refused
    assert failures(product, [image_id]) == 0
    layers = details["layersDetail"]
    assert sorted(limited.blobs[digest] for digest in layers if layers[digest]["size"] > MIB // 2) == [1, 1, 1]
