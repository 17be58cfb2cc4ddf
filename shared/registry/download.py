"""Reads a blob's answer: the right range, and never a byte more than the blob has."""

from collections.abc import AsyncGenerator
from http import HTTPStatus

import aiohttp

from shared.oci.descriptor import Descriptor
from shared.registry.failures import Failure
from shared.registry.network_errors import CAUGHT, translated
from shared.registry.request import Request, authority


def range_header(blob: Descriptor, offset: int) -> dict[str, str]:
    """Return a closed Range from the offset to the blob's end; some registries do not take an open one."""
    return {"Range": f"bytes={offset}-{blob.size - 1}"} if offset else {}


def bytes_to_skip(request: Request, response: aiohttp.ClientResponse, blob: Descriptor, offset: int) -> int:
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


async def read_blob(
    request: Request, response: aiohttp.ClientResponse, *, skip: int, size: int
) -> AsyncGenerator[bytes, None]:
    """Yield `size` bytes as they arrive, after leaving out `skip`; raises where there are fewer or more."""
    left = size
    try:
        # Not iter_any(): that joins what has arrived, which costs a copy of every byte.
        async for chunk, _ in response.content.iter_chunks():
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


def _check_length(request: Request, response: aiohttp.ClientResponse, expected: int) -> None:
    stated = response.content_length
    if stated is None or stated == expected:
        return
    if stated > expected:
        raise _too_long(request, response)
    raise request.failed(
        Failure.UNAVAILABLE, "announced fewer bytes than the blob has", f"{stated} of {expected}", host=request.host
    )


def _too_long(request: Request, response: aiohttp.ClientResponse) -> Exception:
    host = authority(response.url)
    return request.failed(Failure.CONTENT_MISMATCH, "sent more bytes than the manifest says", host=host)
