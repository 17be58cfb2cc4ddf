"""A Docker Engine, called through aiodocker; compatible services, such as Podman's, work as well."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import Any, cast

import aiohttp
from aiodocker import Docker, DockerError

from import_worker.engine.ends import DescribedImage
from import_worker.engine.tar_stream import PIECE
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.http_client.unreadable import refused_if_unreadable
from shared.model.integers import MAX_INT64
from shared.oci.digest import Digest
from shared.oci.manifest import MAX_LAYERS
from shared.oci.platform import Platform

# For requests that the engine answers from its memory. Seconds.
INSPECT_TIMEOUT = aiohttp.ClientTimeout(total=30)
# Engines without the image layout write the whole image to their own disk before they send the first byte. Between two
# bytes of a layer, the copy's StallWatch is stricter. Seconds.
EXPORT_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=1800)

# Raised by the library for a connection that ends, and for bytes that are not HTTP.
_BROKEN_OFF = (aiohttp.ClientError, TimeoutError, OSError, ValueError)

# aiodocker's own status for an engine that it cannot reach.
NOT_CONNECTED = 900


class DockerEngine:
    """Fits `engine.ends.Engine`. `address` is `unix:///path` or `tcp://host:port`."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def describe(self, name: str) -> DescribedImage:
        with _translated(name):
            async with Docker(url=self._address, timeout=INSPECT_TIMEOUT) as docker:
                found = await docker.images.inspect(name)
                # The engine returns a list; the library's annotation is wrong.
                history = cast("Sequence[Mapping[str, Any]]", await docker.images.history(name))
        with _readable(name):
            return _described(found, history)

    @asynccontextmanager
    async def export(self, image_id: Digest) -> AsyncIterator[AsyncIterator[bytes]]:
        async with AsyncExitStack() as stack:
            with _translated(str(image_id)):
                docker = await stack.enter_async_context(Docker(url=self._address, timeout=INSPECT_TIMEOUT))
                await docker.version()  # Negotiates the version of the API.
                # Not through `images.export_image`: it never closes its response, and this export may end early.
                url = f"{docker.docker_host}/{docker.api_version}/images/{image_id}/get"
                response = await stack.enter_async_context(docker.session.get(url, timeout=EXPORT_TIMEOUT))
                if response.status != HTTPStatus.OK:
                    raise DockerError(response.status, "the export was refused")
            yield await stack.enter_async_context(aclosing(_chunks(response.content, image_id)))


async def _chunks(content: aiohttp.StreamReader, image_id: Digest) -> AsyncGenerator[bytes, None]:
    with _translated(str(image_id)):
        async for chunk in content.iter_chunked(PIECE):
            yield chunk


@contextmanager
def _readable(name: str, passed: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Refuse an answer that does not describe an image, whatever its reader raises; `passed` are raised unchanged."""

    def refuse(reason: str) -> LongshoreError:
        return LongshoreError(Code.SOURCE_PROTOCOL_ERROR, f"The engine does not describe {name} as an image: {reason}.")

    with refused_if_unreadable(refuse, passed, image=name):
        yield


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        with _readable(name, (DockerError, *_BROKEN_OFF)):
            yield
    except DockerError as error:
        raise _refused(name, error) from None
    except _BROKEN_OFF as error:
        raise LongshoreError(
            Code.DOCKER_ENGINE_UNAVAILABLE, f"The Docker Engine broke off at {name} ({type(error).__name__})."
        ) from None


def _refused(name: str, error: DockerError) -> LongshoreError:
    if error.status == HTTPStatus.NOT_FOUND:
        return LongshoreError(Code.SOURCE_NOT_FOUND, f"The Docker Engine does not have {name}.")
    if error.status < NOT_CONNECTED:
        return LongshoreError(Code.DOCKER_ENGINE_UNAVAILABLE, f"The Docker Engine answered {error.status} to {name}.")
    return LongshoreError(Code.DOCKER_ENGINE_UNAVAILABLE, "The Docker Engine cannot be reached.")


def _described(found: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> DescribedImage:
    diff_ids = tuple(map(Digest.parse, found["RootFS"]["Layers"]))
    if len(diff_ids) > MAX_LAYERS:
        raise ValueError(f"it has {len(diff_ids)} layers, above the limit of {MAX_LAYERS}")
    return DescribedImage(
        id=Digest.parse(found["Id"]),
        diff_ids=diff_ids,
        sizes=_sizes(len(diff_ids), _size(found), [_size(step) for step in reversed(history)]),
        platforms=(Platform.of(found["Os"], found["Architecture"], found.get("Variant")),),
    )


def _size(part: Mapping[str, Any]) -> int:
    size = part["Size"]
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MAX_INT64:
        raise ValueError("a size is no number of bytes")
    return size


def _sizes(layers: int, whole: int, steps: Sequence[int]) -> tuple[int, ...]:
    """Return each layer's approximate size: that of the build step that made it, or else an equal share."""
    filled = tuple(size for size in steps if size)
    return filled if len(filled) == layers else (whole // max(layers, 1),) * layers
