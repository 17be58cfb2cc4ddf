"""One import through the API, RabbitMQ and a worker, as its user sees it."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from deploy.local.commands.details import follow
from deploy.local.images.image import DOCKER
from deploy.local.stack import Registry, Remote, synthetic_image
from tests.system.conftest import TIMEOUT, Product

pytestmark = pytest.mark.xdist_group("system")

MIB = 1024 * 1024


def test_an_index_arrives_byte_for_byte(product: Product) -> None:
    """The target's index, manifests and blobs have the source's digests, on both platforms."""
    image = synthetic_image("whole", [MIB, 3 * MIB, 2_000], shared=1)
    repository = product.push(image)
    with product.workers():
        ready = product.ready(product.start(repository))
    assert ready["digest"] == image.digest
    assert ready["includeType"] == "full"
    assert (ready["os"], ready["arch"]) == ("linux", "amd64")
    assert ready["platforms"] == ["linux/amd64", "linux/arm64"]
    assert ready["size"] == image.size
    verified = product.verify(ready, repository)
    assert (verified.manifests, verified.blobs) == (3, len(image.blobs))


def test_a_docker_manifest_list_arrives_byte_for_byte(product: Product) -> None:
    """Nothing is converted: Docker's media types stay."""
    image = synthetic_image("docker", [50_000], types=DOCKER)
    repository = product.push(image)
    with product.workers():
        ready = product.ready(product.start(repository))
    assert ready["digest"] == image.digest
    product.verify(ready, repository)


def test_a_platform_subset_is_a_valid_trimmed_index(product: Product) -> None:
    """The target gets only the requested platforms, under a valid index, and the API reports the image as partial."""
    image = synthetic_image("subset", [100_000, 200_000])
    repository = product.push(image)
    with product.workers():
        ready = product.ready(product.start(repository, platforms=["linux/arm64"]))
    assert ready["includeType"] == "partial"
    assert ready["platforms"] == ["linux/arm64"]
    assert ready["digest"] != image.digest
    index = Remote.of(product.stack.target).manifest(ready["repo"], ready["imageTag"]).document
    assert [child["digest"] for child in index["manifests"]] == [image.children[1].digest]
    assert index["manifests"][0]["platform"] == {"os": "linux", "architecture": "arm64"}


def test_twenty_equal_requests_are_one_import(product: Product) -> None:
    """One image id, one row, one copy of each blob; a later request finds that the image exists."""
    image = synthetic_image("twenty", [300_000, 400_000])
    repository = product.push(image)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: product.post(product.request_for(repository)), range(20)))
    assert {status for status, _ in answers} == {200}
    assert {answer["state"] for _, answer in answers} == {1}
    assert len({answer["imageId"] for _, answer in answers}) == 1
    assert len({answer["name"] for _, answer in answers}) == 1
    image_id = answers[0][1]["imageId"]
    with product.workers(2):
        ready = product.ready(image_id)
    product.verify(ready, repository)
    assert product.sql(f"SELECT count(*) FROM imports WHERE image_id = {image_id}") == "1"
    log = product.stack.target.process.log.read_text() if product.stack.target.process else ""
    uploads = [line for line in log.splitlines() if f"/v2/{ready['repo']}/blobs/uploads/ " in line and '"POST' in line]
    assert len(uploads) == len(image.blobs)
    status, again = product.post(product.request_for(repository))
    assert status == 200
    assert (again["state"], again["alreadyImageId"]) == (2, image_id)


def test_progress_never_goes_back_and_the_stream_says_the_same(product: Product) -> None:
    """The progress of each layer, polled or streamed, never decreases and ends at 100."""
    repository = product.push(synthetic_image("progress", [24 * MIB, 16 * MIB, 8 * MIB]))
    image_id = product.start(repository)
    with ThreadPoolExecutor(1) as pool:
        streaming = pool.submit(
            lambda: list(follow(product.stack.api.url, product.stack.user_token, image_id, seconds=TIMEOUT))
        )
        polled: list[Any] = []
        with product.workers():
            product.wait(image_id, keep=polled)
        streamed = streaming.result()
    for series in (polled, streamed):
        assert series[-1]["status"] == "ready"
        assert series[-1]["progress"] == 100
        assert_only_grows([details["progress"] for details in series])
        for digest, layer in series[-1]["layersDetail"].items():
            assert (layer["status"], layer["progress"]) == ("completed", 100)
            assert_only_grows([details["layersDetail"].get(digest, {"progress": 0})["progress"] for details in series])
    assert streamed[-1]["layersDetail"] == polled[-1]["layersDetail"]
    assert len(streamed) > 2


def assert_only_grows(figures: list[int]) -> None:
    assert figures == sorted(figures), figures


def test_a_damaged_blob_never_becomes_part_of_an_image(product: Product) -> None:
    """The import fails and names the blob; the target has neither the blob nor a tag."""
    image = synthetic_image("damaged", [400_000, 500_000], platforms=("linux/amd64",))
    repository = product.push(image)
    damaged = image.blobs[1].digest
    path = product.stack.source.blob_path(damaged)
    content = bytearray(path.read_bytes())
    content[250_000] ^= 1
    path.write_bytes(content)
    with product.workers():
        image_id = product.start(repository)
        details = product.wait(image_id)
    assert details["status"] == "failed"
    assert (details["error"]["code"], details["error"]["side"]) == ("blob_digest_mismatch", "source")
    assert damaged in details["error"]["detail"]
    assert not details["error"]["retryable"]
    shown = product.get(f"/images/{image_id}")
    target = Remote.of(product.stack.target)
    assert not target.has_blob(shown["repo"], damaged)
    assert product.stack.api.request("GET", "/readyz")[0] == 200
    assert isinstance(product.stack.target, Registry)
    assert not (product.stack.target.root / "docker/registry/v2/repositories" / shown["repo"] / "_manifests").exists()


def test_a_failed_import_is_mended_by_the_same_request(product: Product) -> None:
    """After the source is repaired, the same request imports the image under the same id."""
    image = synthetic_image("mended", [300_000], platforms=("linux/amd64",))
    repository = product.push(image)
    path = product.stack.source.blob_path(image.blobs[0].digest)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with product.workers():
        image_id = product.start(repository)
        assert product.wait(image_id)["status"] == "failed"
        path.write_bytes(whole)
        assert product.start(repository) == image_id
        product.verify(product.ready(image_id), repository)


def test_no_secret_reaches_the_queue_the_answers_or_the_logs(product: Product) -> None:
    """The source's password is only in the database, encrypted, and deleted at the end."""
    repository = product.push(synthetic_image("secret", [10_000]))
    password = product.stack.source.password
    assert password
    image_id = product.start(repository)
    queue = json.dumps(product.details(image_id)) + json.dumps(product.get("/images"))
    with product.workers() as workers:
        product.ready(image_id)
        logs = [server.process.log.read_text() for server in (product.stack.api, *workers) if server.process]
    assert len(logs) == 2
    assert all(password not in text for text in (queue, *logs))
    assert product.sql(f"SELECT count(*) FROM imports WHERE image_id = {image_id} AND credentials IS NULL") == "1"
