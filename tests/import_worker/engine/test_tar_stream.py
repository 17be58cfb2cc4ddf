"""Reading tar files as they arrive, in every form that engines and other tools write."""

import io
import tarfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from import_worker.engine.tar_stream import BLOCK, PIECE, TarError, TarStream
from tests.import_worker.engine.exports import archive, chunks

FORMS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
LONG = "/".join(["a-folder-with-a-long-name"] * 12)
FILES = {"first": b"one", "empty": b"", "second": bytes(range(256)) * 5, "third": b"x" * (PIECE + 1)}


async def read(content: bytes, chunk: int = 1_000) -> dict[str, bytes]:
    """Read all files of an archive."""
    tar = TarStream(chunks(content, chunk))
    found: dict[str, bytes] = {}
    while entry := await tar.next_entry():
        if entry.is_file:
            found[entry.name] = b"".join([piece async for piece in tar.content()])
            assert len(found[entry.name]) == entry.size
    return found


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("chunk", [1, 511, 512, 1_000_000])
async def test_files_come_out_as_they_went_in(form: int, chunk: int) -> None:
    """The chunks of the stream make no difference."""
    files = FILES if chunk > 1 else {"small": b"content", "empty": b""}
    assert await read(archive(files, form=form), chunk) == files


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
async def test_long_names_and_links_are_read(form: int) -> None:
    """They are in separate entries before the entry that they belong to."""
    content = archive({f"{LONG}/first": b"1", "second": b"2"}, {"link": f"{LONG}/first"}, form)
    assert await read(content) == {f"{LONG}/first": b"1", "second": b"2"}


async def test_what_is_not_read_is_skipped() -> None:
    """An entry may be read not at all, or in part."""
    tar = TarStream(chunks(archive(FILES), 100_000))
    names = []
    while entry := await tar.next_entry():
        names.append(entry.name)
        if entry.name == "third":
            assert await anext(tar.content())
    assert names == list(FILES)


async def test_a_size_beyond_eight_gigabytes_is_read_from_its_record() -> None:
    """The header's own field ends there; Go's writer, which Docker uses, puts the size into a record."""
    entry = tarfile.TarInfo("large")
    entry.size = 9 * 1024**3
    tar = TarStream(chunks(entry.tobuf(tarfile.PAX_FORMAT), BLOCK))
    found = await tar.next_entry()
    assert found is not None
    assert (found.name, found.size) == ("large", 9 * 1024**3)
    base256 = await TarStream(chunks(entry.tobuf(tarfile.GNU_FORMAT), BLOCK)).next_entry()
    assert base256 is not None
    assert base256.size == 9 * 1024**3


@pytest.mark.parametrize("missing", [1, 700])
async def test_an_early_end_is_an_error(missing: int) -> None:
    """Inside a file, and inside a header."""
    whole = archive({"first": b"1" * 1000, "second": b"2"})
    length = BLOCK + 1024 - missing if missing == 700 else BLOCK + 1024 + BLOCK - missing
    with pytest.raises(TarError, match="middle of an entry"):
        await read(whole[:length])


async def test_an_end_without_its_empty_blocks_is_one() -> None:
    """Some writers omit the empty blocks."""
    whole = archive({"first": b"1" * 1000})
    assert await read(whole[: BLOCK + 1024]) == {"first": b"1" * 1000}


async def test_something_else_is_no_tar() -> None:
    """For example an error page instead of an export."""
    with pytest.raises(TarError, match="a header is broken"):
        await read(b"<html>" * 200)


async def test_an_extended_header_is_bounded() -> None:
    """It is held in memory completely."""
    entry = tarfile.TarInfo("pax")
    entry.type, entry.size = tarfile.XHDTYPE, 1024**3
    with pytest.raises(TarError, match="extended header"):
        await read(entry.tobuf(tarfile.USTAR_FORMAT))


@pytest.mark.parametrize("record", [b"5 size=x\n", b"10 size=ab\n", b"3 a=\n", b"13 size=-512\n"])
async def test_a_malformed_record_is_an_error(record: bytes) -> None:
    """A size decides where the next entry begins."""
    entry = tarfile.TarInfo("pax")
    entry.type, entry.size = tarfile.XHDTYPE, len(record)
    head = entry.tobuf(tarfile.USTAR_FORMAT) + record.ljust(BLOCK, b"\0")
    with pytest.raises(TarError):
        await read(head + archive({"first": b"1"}))


@given(content=st.binary(max_size=3_000))
async def test_no_bytes_do_worse_than_an_error(content: bytes) -> None:
    """This holds for any bytes that an engine sends."""
    whole = archive({"first": b"1" * 600})
    for start in (whole, b""):
        with suppress(TarError):
            await read(start[: len(content)] + content)


def test_the_standard_library_agrees() -> None:
    """`tarfile` reads the archives above in the same way."""
    with tarfile.open(fileobj=io.BytesIO(archive(FILES))) as tar:
        assert [member.name for member in tar] == list(FILES)
