"""A signed image with an SBOM, imported by the whole product and deleted again."""

import pytest

from deploy.local.images.image import Blob, Image, Manifest, distinct
from deploy.local.processes.scratch import LocalStackError
from deploy.local.stack import Remote, synthetic_image
from tests.import_worker.copying.artifacts.content import (
    cosign_signature,
    cosign_tag,
    fallback_tag,
    listing_of,
    sbom_of,
    signature_of,
)
from tests.system.conftest import Product

pytestmark = pytest.mark.xdist_group("system")


def attach(product: Product, repository: str, made: tuple[Manifest, tuple[Blob, ...]], tag: str | None = None) -> None:
    manifest, blobs = made
    image = Image(root=manifest, children=(), blobs=blobs)
    Remote.of(product.stack.source).push(repository, tag or manifest.digest, image)


def serves(remote: Remote, repository: str, reference: str) -> str | None:
    try:
        return remote.manifest(repository, reference).digest
    except LocalStackError:
        return None


def test_a_signed_image_arrives_with_its_signatures_and_sboms(product: Product) -> None:
    """Referrers of both kinds are counted before and after the import, and deleted with the image."""
    image = synthetic_image("signed", [400_000, 2_000], shared=1)
    repository = product.push(image)
    sbom, signature = sbom_of(image.root), cosign_signature(image.root, "release")
    deeper = signature_of(sbom[0])
    attach(product, repository, sbom)
    attach(product, repository, deeper)
    attach(product, repository, (listing_of(sbom[0]), ()), fallback_tag(image.root))
    attach(product, repository, (listing_of(deeper[0]), ()), fallback_tag(sbom[0]))
    attach(product, repository, signature, cosign_tag(image.root))
    status, preview = product.post(product.request_for(repository, dryRun=True))
    assert (status, preview["plan"]["referrers"]) == (200, 3)
    with product.workers():
        image_id = product.start(repository)
        ready = product.ready(image_id)
    assert (ready["digest"], ready["size"], ready["referrers"]) == (image.digest, image.size, 3)
    details = product.details(image_id)
    assert details["message"] == "The image is ready."
    assert details["bytesTotal"] == sum(
        blob.size for blob in distinct([*image.blobs, *sbom[1], *deeper[1], *signature[1]])
    )
    target = Remote.of(product.stack.target)
    lists = {fallback_tag(image.root): sbom[0].digest, fallback_tag(sbom[0]): deeper[0].digest}
    for tag, listed in lists.items():
        assert [entry["digest"] for entry in target.manifest(ready["repo"], tag).document["manifests"]] == [listed]
        assert target.manifest(ready["repo"], listed) == Remote.of(product.stack.source).manifest(repository, listed)
    assert serves(target, ready["repo"], cosign_tag(image.root)) == signature[0].digest
    status, _ = product.stack.api.request("DELETE", f"/api/v1/images/{image_id}", product.stack.user_token)
    assert status == 200
    for tag in (cosign_tag(image.root), fallback_tag(image.root)):
        assert serves(target, ready["repo"], tag) is None


def test_an_image_comes_without_them_where_that_is_asked_for(product: Product) -> None:
    repository = product.push(image := synthetic_image("unsigned", [3_000]))
    attach(product, repository, cosign_signature(image.root, "release"), cosign_tag(image.root))
    with product.workers():
        ready = product.ready(product.start(repository, referrers=False))
    assert ready["referrers"] == 0
    assert serves(Remote.of(product.stack.target), ready["repo"], cosign_tag(image.root)) is None
