"""An import copies the digest that the API checked, even if the source's tag moves meanwhile."""

import pytest

from deploy.local.stack import synthetic_image
from tests.system.conftest import Product

pytestmark = pytest.mark.xdist_group("system")


def test_a_tag_that_moves_after_the_request_does_not_change_the_import(product: Product) -> None:
    """The target gets the digest that the API resolved for the request."""
    first, second = (synthetic_image(f"moving-{n}", [50_000]) for n in range(2))
    repository = product.push(first)
    image_id = product.start(repository)
    product.push(second, repository)
    with product.workers():
        assert product.ready(image_id)["digest"] == first.digest


def test_a_moved_tag_is_reported_and_force_imports_it(product: Product) -> None:
    """Without force the answer reports the moved tag; with force the image changes under the same id."""
    first, second = (synthetic_image(f"drift-{n}", [50_000]) for n in range(2))
    repository = product.push(first)
    with product.workers():
        image_id = product.start(repository)
        assert product.ready(image_id)["digest"] == first.digest
        product.push(second, repository)
        status, answer = product.post(product.request_for(repository))
        assert (status, answer["state"], answer["alreadyImageId"]) == (200, 2, image_id)
        assert second.digest in answer["message"]
        assert product.start(repository, force=True) == image_id
        ready = product.ready(image_id)
    assert ready["digest"] == second.digest
    product.verify(ready, repository)


def test_an_attempt_that_found_the_digest_itself_pins_it(product: Product) -> None:
    """If the source was too slow for the request, all attempts use the digest of the first one."""
    first, second = (synthetic_image(f"late-{n}", [8_000_000]) for n in range(2))
    repository = product.push(first)
    image_id = product.start(repository)
    product.sql(f"UPDATE imports SET source_digest = NULL WHERE image_id = {image_id}")
    with product.workers() as (worker,):
        while product.sql(f"SELECT source_digest FROM imports WHERE image_id = {image_id}") == "":
            assert worker.alive
        product.push(second, repository)
        assert product.ready(image_id)["digest"] == first.digest
