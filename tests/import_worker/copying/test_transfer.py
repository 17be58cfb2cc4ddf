"""One blob's transfer: wrong bytes, broken downloads and uploads, and uploads that another worker continues."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from deploy.local.images.image import Image
from import_worker.copying.stream import DOWNLOAD_TRIES
from import_worker.copying.transfer import BLOB_TRIES
from shared.errors.error import LongshoreError
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from tests.import_worker.copying.copies import copy
from tests.import_worker.ends import DictLedger, DictSource, DictTarget

pytestmark = pytest.mark.usefixtures("quick_retries")


async def test_bytes_that_do_not_match_never_become_a_blob(image: Image) -> None:
    """One flipped bit: the upload is cancelled before its last chunk, and the error names the blob."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    content = bytearray(DictSource(image).content(blob.digest))
    content[7_000] ^= 1
    target = DictTarget()
    with pytest.raises(LongshoreError, match=f"blob_digest_mismatch.*{blob.digest}"):
        await copy(DictSource(image, damage={blob.digest: bytes(content)}), target)
    assert blob.digest not in target.blobs
    assert target.manifests == {}
    assert target.cancelled >= 1


async def test_a_broken_download_goes_on_where_it_ended(image: Image) -> None:
    """The upload is not affected: the same session receives the rest of the bytes."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source, target = DictSource(image, break_at={blob.digest: [4_321, 8_000]}), DictTarget()
    await copy(source, target)
    assert [offset for digest, offset in source.opened if digest == blob.digest] == [0, 4_321, 8_000]
    assert target.writes.count(blob.digest) == 1
    assert target.cancelled == 0


async def test_a_download_that_breaks_at_its_very_end_is_complete(image: Image) -> None:
    """A request for bytes from the blob's size on would have a malformed range."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source, target = DictSource(image, break_at={blob.digest: [12_345]}), DictTarget()
    await copy(source, target)
    assert [offset for digest, offset in source.opened if digest == blob.digest] == [0]


async def test_a_broken_upload_goes_on_where_the_target_says(image: Image) -> None:
    """Neither side moves received bytes again, and the digest is still that of the whole blob."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source, target = DictSource(image), DictTarget(break_uploads_at=[7_500])
    await copy(source, target)
    assert [offset for digest, offset in source.opened if digest == blob.digest] == [0, 7_500]
    assert 7_500 in target.appended
    assert target.blobs[blob.digest] == source.content(blob.digest)
    assert target.cancelled == 0


async def test_a_broken_upload_that_the_target_forgot_begins_anew(image: Image) -> None:
    """Bytes that a registry does not report as received are sent again."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source, target = DictSource(image), DictTarget(break_uploads_at=[7_500], keeps_sessions=False)
    await copy(source, target)
    assert [offset for digest, offset in source.opened if digest == blob.digest] == [0, 0]
    assert target.blobs[blob.digest] == source.content(blob.digest)
    assert target.cancelled == 1


async def test_a_lost_answer_to_the_commit_costs_no_bytes(image: Image) -> None:
    """Every byte was received: only the commit is repeated."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source, target = DictSource(image), DictTarget(lose_commits=1)
    await copy(source, target)
    assert [offset for digest, offset in source.opened if digest == blob.digest] == [0]
    assert target.blobs[blob.digest] == source.content(blob.digest)


async def test_another_worker_continues_an_upload(image: Image) -> None:
    """It reads the whole blob, because the digest covers all its bytes, and sends only the missing ones."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    target, ledger = DictTarget(break_uploads_at=[7_500] * 2 * BLOB_TRIES), DictLedger()
    with pytest.raises(LongshoreError, match="target_unavailable"):
        await copy(DictSource(image), target, ledger=ledger)
    target.break_uploads_at.clear()
    target.appended.clear()
    source = DictSource(image)
    await copy(source, target, ledger=ledger)
    assert [offset for digest, offset in source.opened if digest == blob.digest] == [0]
    assert 7_500 in target.appended
    assert target.blobs[blob.digest] == source.content(blob.digest)


async def test_a_kept_upload_of_other_bytes_is_never_committed(image: Image) -> None:
    """Another worker's bytes are not trusted: the target compares the digest, and the blob is sent again."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source, target, ledger = DictSource(image), DictTarget(), DictLedger()
    left = await target.start_upload()
    left.content += bytes(5_000)
    ledger.uploads[Digest.parse(blob.digest)] = left.address
    await copy(source, target, ledger=ledger)
    assert target.blobs[blob.digest] == source.content(blob.digest)
    assert 5_000 in target.appended
    assert target.cancelled == 1


async def test_a_source_that_always_breaks_ends_the_copy(image: Image) -> None:
    """Tries are bounded: the import as a whole waits and tries again."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source = DictSource(image, break_at={blob.digest: [10] * 100})
    with pytest.raises(LongshoreError, match="source_unavailable"):
        await copy(source, DictTarget())
    assert len([digest for digest, _ in source.opened if digest == blob.digest]) >= DOWNLOAD_TRIES


async def test_a_source_that_breaks_often_but_makes_progress_is_continued(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Progress resets the count: a large layer from a distant registry may break many times."""
    monkeypatch.setattr("import_worker.copying.stream.MIN_PROGRESS", 1_000)
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source, target = DictSource(image, break_at={blob.digest: list(range(1_000, 12_000, 1_000))}), DictTarget()
    await copy(source, target)
    assert len([digest for digest, _ in source.opened if digest == blob.digest]) > 2 * DOWNLOAD_TRIES
    assert target.blobs[blob.digest] == source.content(blob.digest)


async def test_a_small_blob_that_drips_is_not_waited_for(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """A blob that is read completely is watched as well."""
    monkeypatch.setattr("import_worker.copying.stall.STALL_SECONDS", 0.3)
    monkeypatch.setattr("import_worker.copying.transfer.WHOLE_SIZE", 20_000)

    class Dripping(DictSource):
        @asynccontextmanager
        async def open_blob(self, blob: Descriptor, offset: int = 0) -> AsyncIterator[AsyncIterator[bytes]]:
            async def drip() -> AsyncIterator[bytes]:
                for byte in content:
                    await asyncio.sleep(0.05)
                    yield bytes([byte])

            content = self.content(str(blob.digest))
            yield drip() if blob.size == 12_345 else self._chunks(self._open(blob, offset))

    with pytest.raises(LongshoreError, match="source_stalled"):
        await asyncio.wait_for(copy(Dripping(image), DictTarget()), 30)
