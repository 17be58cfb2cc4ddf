"""Referrers that an import wrote are deleted with their image if they are tags of a plain registry; nothing else is."""

import asyncio

import pytest

from deploy.local.images.image import Blob, Image, Manifest, memory_blob
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.target.plain_registry import PlainRegistry
from tests.api_service.api import BASE
from tests.api_service.managed import Job, Managed
from tests.import_worker.copying.artifacts.content import (
    artifact,
    cosign_signature,
    cosign_tag,
    fallback_tag,
    listing_of,
    sbom_of,
)


async def attach(place: Managed, job: Job, made: tuple[Manifest, tuple[Blob, ...]], tag: str) -> Manifest:
    manifest, blobs = made
    image = Image(root=manifest, children=(), blobs=blobs)
    await asyncio.to_thread(place.target.push, job.repository, tag, image)
    return manifest


async def written_by_an_import(place: Managed, job: Job, *tags: str) -> None:
    """Record that an import wrote these tags, as a worker does."""
    for tag in tags:
        await place.api.execute(
            "INSERT INTO companion_tags (registry, repository, tag, digest) VALUES ($1, $2, $3, $4)",
            place.target.address.netloc,
            job.repository,
            tag,
            await place.serves(job.repository, tag),
        )


async def signed(place: Managed) -> tuple[Job, Manifest, list[str]]:
    """Import an image with a signature, a listed SBOM, and the SBOM's own signature; return their tags."""
    job = await place.ready()
    signature = await attach(place, job, cosign_signature(job.image.root, "release"), cosign_tag(job.image.root))
    await attach(place, job, cosign_signature(signature, "notary"), cosign_tag(signature))
    bom = sbom_of(job.image.root)
    await attach(place, job, bom, bom[0].digest)
    await attach(place, job, (listing_of(bom[0]), ()), fallback_tag(job.image.root))
    tags = [cosign_tag(job.image.root), cosign_tag(signature), fallback_tag(job.image.root)]
    await written_by_an_import(place, job, *tags)
    return job, signature, tags


async def delete(place: Managed, job: Job) -> int:
    return (await place.api.call("DELETE", f"{BASE}/images/{job.image_id}")).status


async def test_signatures_and_lists_of_referrers_go_with_their_image(on_plain: Managed) -> None:
    """This covers referrers by tag and by digest, and the referrers of those."""
    job, signature, tags = await signed(on_plain)
    assert await delete(on_plain, job) == 200
    assert [await on_plain.serves(job.repository, reference) for reference in (*tags, signature.digest)] == 4 * [None]


async def test_they_stay_while_another_tag_has_the_image(on_plain: Managed) -> None:
    """Clients that pull the other tag still find the signature."""
    job, _, tags = await signed(on_plain)
    await on_plain.push(job, "somebodys")
    assert await delete(on_plain, job) == 200
    assert None not in [await on_plain.serves(job.repository, reference) for reference in (*tags, "somebodys")]


async def test_a_signature_that_another_client_pushed_stays(on_plain: Managed) -> None:
    """It was there before the import, or it has replaced the import's; a pipeline may need it for a copy elsewhere."""
    job, _, tags = await signed(on_plain)
    theirs = await attach(on_plain, job, cosign_signature(job.image.root, "release", "pipeline"), tags[0])
    attestation = cosign_tag(job.image.root, "att")
    kept = await attach(on_plain, job, cosign_signature(job.image.root, "attestation"), attestation)
    assert await delete(on_plain, job) == 200
    assert await on_plain.serves(job.repository, tags[0]) == theirs.digest
    assert await on_plain.serves(job.repository, attestation) == kept.digest
    assert await on_plain.serves(job.repository, tags[2]) is None


async def test_other_images_signatures_stay(on_plain: Managed) -> None:
    job, _, _ = await signed(on_plain)
    other = await on_plain.ready(repository=job.repository, tag="2.0")
    kept = cosign_tag(other.image.root)
    await attach(on_plain, other, cosign_signature(other.image.root, "release"), kept)
    assert await delete(on_plain, job) == 200
    assert await on_plain.serves(job.repository, kept) is not None


async def test_a_signature_that_is_an_image_of_its_own_stays(on_plain: Managed) -> None:
    """A user of an earlier release has imported it by name; only its own deletion removes it."""
    job = await on_plain.ready()
    manifest, blobs = artifact(memory_blob("text/plain", b"by name"), artifactType="text/plain")
    own = Image(root=manifest, children=(), blobs=blobs)
    tag = cosign_tag(job.image.root)
    named = await on_plain.ready(own, repository=job.repository, tag="by-name")
    await on_plain.push(named, tag)
    await on_plain.api.execute("UPDATE images SET tag = $2 WHERE id = $1", named.image_id, tag)
    await written_by_an_import(on_plain, job, tag)
    assert await delete(on_plain, job) == 200
    assert await on_plain.serves(job.repository, tag) == own.digest


async def test_a_resumed_deletion_removes_what_a_failure_left(
    on_plain: Managed,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The image is already deleted; its digest identifies its signatures."""
    job, _, tags = await signed(on_plain)
    remove = PlainRegistry.remove_tag

    async def failing(self: PlainRegistry, repository: str, tag: str, *more: object, **options: object) -> object:
        if tag in tags:
            raise LongshoreError(Code.TARGET_UNAVAILABLE, "The target is away.")
        return await remove(self, repository, tag, *more, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(PlainRegistry, "remove_tag", failing)
        assert await delete(on_plain, job) == 502
    assert await on_plain.serves(job.repository, job.image.digest) is None
    await on_plain.api.execute("UPDATE images SET deletion_lease_until = now() WHERE id = $1", job.image_id)
    assert await delete(on_plain, job) == 200
    assert [await on_plain.serves(job.repository, tag) for tag in tags] == 3 * [None]
