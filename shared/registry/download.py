"""Reads the response to a blob request: checks its range, and never yields more bytes than the blob has."""

from collections.abc import AsyncGenerator
from http import HTTPStatus

from shared.http_client.boundary import reads_answer
from shared.http_client.bulk.exchange import BulkResponse
from shared.http_client.failures import Failure
from shared.http_client.network_errors import CLIENT_ERRORS, translate_error
from shared.http_client.request import OK, Reply, Request, authority
from shared.http_client.wire import Response
from shared.oci.descriptor import Descriptor


def range_header(blob: Descriptor, offset: int) -> dict[str, str]:
    """Return a closed Range from the offset to the blob's end; some registries reject an open one."""
    return {"Range": f"bytes={offset}-{blob.size - 1}"} if offset else {}


@reads_answer
def confirms_size(_request: Request, reply: Reply, blob: Descriptor) -> bool | None:
    """Return whether the response to a HEAD is of a blob of this size; None if it is of the blob, without a size."""
    if reply.status not in OK:
        return False
    stated = reply.headers.get("Content-Length")
    return None if stated is None else stated == str(blob.size)


@reads_answer
def bytes_to_skip(request: Request, response: Response, blob: Descriptor, offset: int) -> int:
    """Return the number of bytes before the offset in the response; raises if the response is not of this blob.

    A registry may respond to a Range with the whole blob (200): then its beginning is read and discarded, which costs
    bytes but keeps the running upload.
    """
    host = authority(response.url)
    if response.status == HTTPStatus.OK:
        _check_length(request, response, blob.size)
        return offset
    stated = response.headers.get("Content-Range", "")
    if not offset or stated not in (f"bytes {offset}-{blob.size - 1}/{total}" for total in (blob.size, "*")):
        raise request.failed(Failure.UNAVAILABLE, "answered with another range than the requested one", host=host)
    _check_length(request, response, blob.size - offset)
    return 0


async def read_blob(request: Request, response: Response, *, skip: int, size: int) -> AsyncGenerator[bytes, None]:
    """Skip `skip` bytes, then yield `size` bytes as they arrive; raises if there are fewer or more."""
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
    except CLIENT_ERRORS as error:
        raise translate_error(request, authority(response.url), error) from None
    if left < 0:
        raise _too_long(request, response)
    if left > 0:
        raise request.failed(Failure.UNAVAILABLE, "ended too early", host=authority(response.url))


class BlobDownload:
    """A blob's bytes from an offset on, for a thread to read from an open response, which its opener releases."""

    def __init__(self, request: Request, response: BulkResponse, *, skip: int, size: int) -> None:
        """Read the response to a request: `skip` bytes to discard, then `size` bytes of the blob."""
        self._request = request
        self._response = response
        self._skip = skip
        self._left = size

    def skip_into(self, buffer: memoryview) -> int:
        """Wait for unrequested bytes before the offset and return their number; 0 when there are no more."""
        if not self._skip:
            return 0
        count = self._read(buffer[: self._skip])
        self._skip -= count
        return count

    def read_into(self, buffer: memoryview) -> int:
        """Wait for bytes and return their number; 0 at the blob's end. Call it after `skip_into` has returned 0.

        Raises `*_unavailable` if there are fewer bytes than expected, and `blob_digest_mismatch` if there are more.
        """
        if not self._left:
            # A response with a stated length ends here; without one, another read shows whether there are more bytes.
            if self._response.content_length is None and self._response.read_into(buffer):
                raise _too_long(self._request, self._response)
            return 0
        count = self._read(buffer[: self._left])
        self._left -= count
        return count

    def abort(self) -> None:
        """End a read that waits in another thread, with an error."""
        self._response.abort()

    def _read(self, buffer: memoryview) -> int:
        host = authority(self._response.url)
        try:
            count = self._response.read_into(buffer)
        except CLIENT_ERRORS as error:
            raise translate_error(self._request, host, error) from None
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
