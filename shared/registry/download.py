"""Reads a blob's answer: the right range, and never a byte more than the blob has."""

from collections.abc import AsyncGenerator
from http import HTTPStatus

from shared.http_client.bulk.exchange import BulkResponse
from shared.http_client.failures import Failure
from shared.http_client.network_errors import CAUGHT, translated
from shared.http_client.request import Request, authority
from shared.http_client.wire import Response
from shared.oci.descriptor import Descriptor


def range_header(blob: Descriptor, offset: int) -> dict[str, str]:
    """Return a closed Range from the offset to the blob's end; some registries do not take an open one."""
    return {"Range": f"bytes={offset}-{blob.size - 1}"} if offset else {}


def bytes_to_skip(request: Request, response: Response, blob: Descriptor, offset: int) -> int:
    """Return how much of the answer comes before the offset; raises where the answer is not of this blob.

    A registry may answer a Range with the whole blob (200): then its beginning is read and thrown away, which costs
    bytes but keeps the upload that is under way.
    """
    host = authority(response.url)
    if response.status == HTTPStatus.OK:
        _check_length(request, response, blob.size)
        return offset
    stated = response.headers.get("Content-Range", "")
    if not offset or stated not in (f"bytes {offset}-{blob.size - 1}/{total}" for total in (blob.size, "*")):
        raise request.failed(Failure.UNAVAILABLE, "answered with another range than the one asked for", host=host)
    _check_length(request, response, blob.size - offset)
    return 0


async def read_blob(request: Request, response: Response, *, skip: int, size: int) -> AsyncGenerator[bytes, None]:
    """Yield `size` bytes as they arrive, after leaving out `skip`; raises where there are fewer or more."""
    left = size
    try:
        async for chunk in response.content.iter_any():
            part = chunk
            if skip:
                part, skip = chunk[skip:], max(0, skip - len(chunk))
            left -= len(part)
            if left < 0:
                break
            if part:
                yield part
    except CAUGHT as error:
        raise translated(request, authority(response.url), error) from None
    if left < 0:
        raise _too_long(request, response)
    if left > 0:
        raise request.failed(Failure.UNAVAILABLE, "ended too early", host=authority(response.url))


class BlobDownload:
    """A blob's bytes from an offset on, for a thread to read; made of an open answer, which its opener releases."""

    def __init__(self, request: Request, response: BulkResponse, *, skip: int, size: int) -> None:
        """Take the answer to a request: `skip` bytes are left out, and `size` are due after them."""
        self._request = request
        self._response = response
        self._skip = skip
        self._left = size

    def skip_into(self, buffer: memoryview) -> int:
        """Wait for bytes from before the offset, which came unasked, and return how many; 0 when all have come."""
        if not self._skip:
            return 0
        count = self._read(buffer[: self._skip])
        self._skip -= count
        return count

    def read_into(self, buffer: memoryview) -> int:
        """Wait for bytes and return how many; 0 at the blob's end. Nothing is left to skip by then.

        Raises `*_unavailable` where there are fewer than due, and `blob_digest_mismatch` where there are more.
        """
        if not self._left:
            # A server that knows the length has ended here; another one shows now whether it has more.
            if self._response.content_length is None and self._response.read_into(buffer):
                raise _too_long(self._request, self._response)
            return 0
        count = self._read(buffer[: self._left])
        self._left -= count
        return count

    def abort(self) -> None:
        """Make a read that waits in another thread end, with an error."""
        self._response.abort()

    def _read(self, buffer: memoryview) -> int:
        host = authority(self._response.url)
        try:
            count = self._response.read_into(buffer)
        except CAUGHT as error:
            raise translated(self._request, host, error) from None
        if not count:
            raise self._request.failed(Failure.UNAVAILABLE, "ended too early", host=host)
        return count


def _check_length(request: Request, response: Response, expected: int) -> None:
    stated = response.content_length
    if stated is None or stated == expected:
        return
    if stated > expected:
        raise _too_long(request, response)
    raise request.failed(
        Failure.UNAVAILABLE, "announced fewer bytes than the blob has", f"{stated} of {expected}", host=request.host
    )


def _too_long(request: Request, response: Response) -> Exception:
    host = authority(response.url)
    return request.failed(Failure.CONTENT_MISMATCH, "sent more bytes than the manifest says", host=host)
