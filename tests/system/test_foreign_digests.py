"""Digests of other projects in the manifests of a hostile registry obtain not one byte."""

import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from deploy.local.images.image import DOCKER, OCI, Blob, Manifest, memory_blob
from deploy.local.stack import Registry, synthetic_image
from tests.faults.link import Link
from tests.system.conftest import Links, Product, held_transfers, wait_until, wait_until_held
from tests.system.hostile_registry import HostileRegistry, Offer, described

pytestmark = pytest.mark.xdist_group("system")

MIB = 1024 * 1024
TRIES = 1_000
# Imports that are requested at a time.
REQUESTS_AT_ONCE = 8
# The whole test; it took 207 on two cores with a load of 25. Seconds.
TIME_LIMIT = 900
SECRET, HOSTILE = "secret", "hostile"

Shape = Callable[[int, Blob], Offer]


@pytest.fixture(scope="module")
def hostile(product: Product, links: Links) -> Iterator[HostileRegistry]:
    """One registry for all tests: the services keep their connections to it."""
    assert product.stack.api.alive
    with HostileRegistry(port=links.spare_port).running() as registry:
        yield registry


def manifest_of(
    config: dict[str, object], layers: Sequence[dict[str, object]], kind: str = OCI.manifest, **more: object
) -> Manifest:
    document = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": list(layers), **more}
    return Manifest(media_type=kind, body=json.dumps(document).encode())


def config_of(number: int) -> Blob:
    """Return a config of its own for each try, so that no two of them are the same image."""
    document = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": []}, "try": number}
    return memory_blob(OCI.config, json.dumps(document).encode())


def offer(root: Manifest, config: Blob, foreign: dict[str, int], *below: Manifest, **more: Any) -> Offer:
    manifests = {manifest.digest: manifest for manifest in (root, *below)}
    own = {config.digest: b"".join(config.read())}
    return Offer(manifests={"latest": root, **manifests}, own=own, sizes=foreign, **more)


def as_layer(number: int, blob: Blob, **changed: object) -> Offer:
    """Name the blob as a layer, as its own project has it but for these fields."""
    config, named = config_of(number), described(blob, **changed)
    size = int(str(named["size"]))
    return offer(manifest_of(config.descriptor(), [named]), config, {blob.digest: size})


def as_docker_layer(number: int, blob: Blob) -> Offer:
    config = config_of(number)
    root = manifest_of(
        described(config, mediaType=DOCKER.config), [described(blob, mediaType=DOCKER.gzip)], DOCKER.manifest
    )
    return offer(root, config, {blob.digest: blob.size})


def as_config(number: int, blob: Blob) -> Offer:
    """Name the blob as the config, which is read during planning."""
    layer = memory_blob(OCI.gzip, b"own%d" % number)
    return offer(
        manifest_of(described(blob, mediaType=OCI.config), [layer.descriptor()]), layer, {blob.digest: blob.size}
    )


def beside_an_own_layer(number: int, blob: Blob) -> Offer:
    config, own = config_of(number), memory_blob(OCI.gzip, b"own%d" % number)
    made = offer(
        manifest_of(config.descriptor(), [own.descriptor(), described(blob)]), config, {blob.digest: blob.size}
    )
    return Offer(manifests=made.manifests, own={**made.own, own.digest: b"own%d" % number}, sizes=made.sizes)


def in_an_index(number: int, blob: Blob) -> Offer:
    config = config_of(number)
    child = manifest_of(config.descriptor(), [described(blob)])
    entry = child.descriptor(platform={"os": "linux", "architecture": "amd64"})
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI.index, "manifests": [entry]}).encode()
    return offer(Manifest(media_type=OCI.index, body=index), config, {blob.digest: blob.size}, child)


def in_a_referrer(number: int, blob: Blob) -> Offer:
    """Name the blob in an SBOM of a sound image."""
    config = config_of(number)
    root = manifest_of(config.descriptor(), [])
    sbom = manifest_of(
        config.descriptor(), [described(blob)], artifactType="application/spdx+json", subject=root.descriptor()
    )
    return offer(root, config, {blob.digest: blob.size}, sbom, referrers=(sbom,))


SHAPES: tuple[Shape, ...] = (
    as_layer,
    lambda number, blob: as_layer(number, blob, size=MIB),
    lambda number, blob: as_layer(number, blob, size=blob.size + 1),
    lambda number, blob: as_layer(number, blob, size=1),
    lambda number, blob: as_layer(number, blob, size=0),
    lambda number, blob: as_layer(number, blob, mediaType=f"{OCI.tar}+zstd"),
    lambda number, blob: as_layer(number, blob, mediaType="application/vnd.example.artifact"),
    as_docker_layer,
    as_config,
    beside_an_own_layer,
    in_an_index,
    in_a_referrer,
)


def import_secret(
    product: Product, blobs: Sequence[int], name: str, *, host: str | None = None
) -> tuple[int, list[Blob]]:
    """Start an import with an account into the secret project; return the image's id and its blobs."""
    image = synthetic_image(name, blobs, platforms=["linux/amd64"], index=False)
    repository = product.push(image)
    return product.start(repository, host=host, target=f"{SECRET}/{name}:latest"), list(image.blobs)


def obtained(registry: Registry, secret: Sequence[Blob]) -> list[str]:
    """Return the repositories outside the secret project that hold one of its blobs, as the registry stores them."""
    repositories = registry.root / "docker/registry/v2/repositories"
    found = [
        path for blob in secret for path in repositories.glob(f"**/_layers/sha256/{blob.digest.partition(':')[2]}")
    ]
    assert found, "the secret project itself has its blobs"
    names = [str(path.relative_to(repositories)) for path in found]
    return [name for name in names if not name.startswith(f"{SECRET}/")]


def request_tries(product: Product, hostile: HostileRegistry, secret: Sequence[Blob], numbers: Sequence[int]) -> None:
    """Request an import for each number: another blob and another shape each time."""
    tries = list(itertools.islice(itertools.cycle(itertools.product(SHAPES, secret)), len(numbers)))

    def request(number: int, shape: Shape, blob: Blob) -> None:
        repository = f"tries/{number}"
        hostile.offers[repository] = shape(number, blob)
        source = f"{hostile.host}/{repository}:latest"
        status, answer = product.post({"source": source, "target": f"{HOSTILE}/try-{number}:latest"})
        assert (status, answer["state"]) == (200, 1), answer

    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
        for done in [pool.submit(request, number, *one) for number, one in zip(numbers, tries, strict=True)]:
            done.result()


def wait_for_tries(product: Product) -> None:
    open_tries = (
        "SELECT count(*) FROM imports JOIN images ON images.id = image_id "
        f"WHERE starts_with(repository, '{HOSTILE}/') AND finished_at IS NULL"
    )
    limit = time.monotonic() + TIME_LIMIT
    while int(product.sql(open_tries)):
        assert time.monotonic() < limit
        time.sleep(1)


@pytest.mark.timeout(TIME_LIMIT)
def test_a_thousand_foreign_digests_obtain_no_byte(
    product: Product, hostile: HostileRegistry, source_link: Link
) -> None:
    """They vary in size, media type and place; every tenth blob is on its way to its own project meanwhile."""
    target = product.stack.target
    assert isinstance(target, Registry)
    with product.workers(2, WORKER_SLOTS="8"):
        image_id, secret = import_secret(product, [300_000, 2 * MIB, 700_000], "payments")
        product.ready(image_id)
        with held_transfers(source_link, 3 * MIB):
            running, moving = import_secret(product, [8 * MIB], "moving", host=source_link.host)
            wait_until_held(source_link)
            request_tries(product, hostile, moving[:1], range(TRIES // 10))
            wait_until(lambda: len(set(hostile.asked_for) & {moving[0].digest}) == 1)
        request_tries(product, hostile, secret, range(TRIES // 10, TRIES))
        product.ready(running)
        wait_for_tries(product)
    assert obtained(target, [*secret, *moving]) == []
    assert set(hostile.asked_for) >= {blob.digest for blob in (*secret, moving[0])}
    assert shown_as_mounted(product) == 0


def shown_as_mounted(product: Product) -> int:
    """Return the number of the tries' layers that are shown as mounted: each would show what other projects hold."""
    return int(
        product.sql(
            "SELECT count(*) FROM import_layers "
            "JOIN imports ON imports.id = import_id JOIN images ON images.id = image_id "
            f"WHERE starts_with(repository, '{HOSTILE}/') AND transfer = 'mounted'"
        )
    )


def test_a_dry_run_does_not_show_what_other_projects_hold(product: Product, hostile: HostileRegistry) -> None:
    """The account whose source has the digests sees them as mountable; the hostile registry's image does not."""
    image = synthetic_image("audited", [300_000, 1_500_000], platforms=["linux/amd64"], index=False)
    repository = product.push(image)
    with product.workers():
        product.ready(product.start(repository, target=f"{SECRET}/audited:latest"))
    status, owned = product.post(product.request_for(repository, target="other/audited:latest", dryRun=True))
    assert (status, owned["plan"]["blobs"]["mountable"]) == (200, len(image.blobs))
    config = next(blob for blob in image.blobs if blob.media_type == OCI.config)
    layers = [blob for blob in image.blobs if blob is not config]
    hostile.offers["audited"] = Offer(
        manifests={"latest": image.root, image.root.digest: image.root},
        own={config.digest: b"".join(config.read())},
        sizes={blob.digest: blob.size for blob in layers},
    )
    status, foreign = product.post(
        {"source": f"{hostile.host}/audited:latest", "target": f"{HOSTILE}/audited:latest", "dryRun": True}
    )
    assert status == 200, foreign
    assert (foreign["plan"]["blobs"]["mountable"], foreign["plan"]["blobs"]["toMove"]) == (0, len(image.blobs))
