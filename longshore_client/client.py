"""The API's operations as methods."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from importlib.metadata import PackageNotFoundError, version
from typing import Self

from longshore_client.access import BASE, Access, clean_token, clean_url
from longshore_client.answers import decode, json_object
from longshore_client.backoff import DEFAULT_RETRY_SECONDS, Backoff, OnRetry
from longshore_client.errors import ApiError
from longshore_client.images import FullImage, Image, ImagePage, ImageQuery
from longshore_client.import_details import ImportDetails, Layer
from longshore_client.import_plan import ImportPlan
from longshore_client.import_request import Credentials, ImportRequest, StartedImport, credentials_json
from longshore_client.resources.audit import AuditOperations
from longshore_client.resources.registries import RegistryOperations
from longshore_client.resources.rules import RuleOperations
from longshore_client.resources.tokens import TokenOperations
from longshore_client.status import Identity, Readiness, TargetStatistics
from longshore_client.transport import open_transport
from longshore_client.watch import Watch, fetch_details, fetch_layers

# The largest page that the API accepts. Images.
MAX_PAGE_SIZE = 200
# Pause between two tries to cancel an import that is writing its tag. Seconds.
CANCEL_PAUSE = 1.0
REMOVED_HEADER = "X-Longshore-Removed"
_NOT_OPEN = "import_not_open"
_FINISHING = "import_finishing"
_DISTRIBUTION = "longshore-client"


class LongshoreClient(RuleOperations, TokenOperations, RegistryOperations, AuditOperations):
    """A client for one Longshore API and one token, for use inside `async with` and by any number of tasks at once.

    ```python
    async with LongshoreClient("https://longshore.example.com", token) as longshore:
        started = await longshore.import_image("docker.io/library/alpine:3.20", platforms=("linux/amd64",))
        async for details in longshore.watch(started.image_id):
            print(details.state, details.progress)
        print((await longshore.image(started.image_id)).digest_reference)
    ```

    The constructor raises ValueError for an unusable address or token. Every method raises ClientErrors: ApiError for
    an error of the API, ApiUnreachableError if there is no answer, UnexpectedAnswerError if it is not understood.
    """

    def __init__(self, url: str, token: str) -> None:
        super().__init__()
        self._access = Access(url=clean_url(url), token=clean_token(token))
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        transport = open_transport(self._access, agent=f"longshore/{client_version()}")
        self._transport = await self._open.enter_async_context(transport)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport = None
        await self._open.aclose()

    @property
    def url(self) -> str:
        """The API's address."""
        return self._access.url

    async def whoami(self) -> Identity:
        """Return the user and the role of the token."""
        return decode(Identity, await self._get("/whoami"))

    async def import_image(
        self,
        source: str,
        *,
        target: str | None = None,
        platforms: tuple[str, ...] = (),
        credentials: Credentials | None = None,
        description: str | None = None,
        force: bool = False,
        referrers: bool | None = None,
    ) -> StartedImport:
        """Start an import; the options are the fields of ImportRequest.

        An equal import that is under way is joined: the answer then has that one's image and name.

        ```python
        await longshore.import_image("quay.io/team/app:1.0", target="team/app:1.0", credentials="quay")
        ```
        """
        request = ImportRequest(
            source=source,
            target=target,
            platforms=platforms,
            credentials=credentials,
            description=description,
            force=force,
            referrers=referrers,
        )
        return await self.start(request)

    async def start(self, request: ImportRequest) -> StartedImport:
        """Start an import, as `import_image` does."""
        return StartedImport.of(await self._post("/images:import", request.body()))

    async def plan(self, request: ImportRequest) -> ImportPlan:
        """Return the effects that an import would have. Nothing is written."""
        return ImportPlan.of(await self._post("/images:import", request.body(dry_run=True)))

    async def details(self, image_id: int) -> ImportDetails:
        """Return the state and progress of an image's newest import."""
        return await fetch_details(self._connected, image_id)

    async def layers(self, image_id: int) -> AsyncGenerator[Layer, None]:
        """Yield all layers of an image's newest import, in the image's order, each page requested when it is needed.

        ```python
        async for layer in longshore.layers(7):
            print(layer.digest, layer.status)
        ```
        """
        async with aclosing(fetch_layers(self._connected, image_id)) as layers:
            async for layer in layers:
                yield layer

    def watch(
        self, image_id: int, *, retry_for: float = DEFAULT_RETRY_SECONDS, on_retry: OnRetry | None = None
    ) -> AsyncGenerator[ImportDetails, None]:
        """Yield an import's details whenever they change, the final ones last.

        While the API is away, the client retries for at most `retry_for` seconds in a row, and calls `on_retry` with
        the error before each retry. If the image is deleted meanwhile, the watch raises the ApiError `image_not_found`.

        ```python
        async for details in longshore.watch(7):
            print(details.message)
        ```
        """
        return Watch(self._connected, image_id, Backoff(retry_for, on_retry)).details()

    async def wait(self, image_id: int, *, retry_for: float = DEFAULT_RETRY_SECONDS) -> ImportDetails:
        """Wait for the end of an import and return its final details, also those of a failed one.

        ```python
        if not (await longshore.wait(7)).ready:
            await longshore.retry(7)
        ```
        """
        async with aclosing(self.watch(image_id, retry_for=retry_for)) as updates:
            async for details in updates:
                if details.final:
                    return details
        raise AssertionError("a watch ends with final details or an exception")

    async def image(self, image_id: int) -> FullImage:
        """Return one image; raises the ApiError `image_not_found`."""
        return decode(FullImage, await self._get(f"/images/{image_id}"))

    async def page(self, query: ImageQuery, number: int = 0, size: int = MAX_PAGE_SIZE) -> ImagePage:
        """Return one page of the images that match; pages count from 0."""
        answer = await self._connected.call("GET", f"{BASE}/images", query=query.parameters(number, size))
        return ImagePage.of(answer.json_object())

    async def pages(
        self, query: ImageQuery | None = None, *, size: int = MAX_PAGE_SIZE
    ) -> AsyncGenerator[ImagePage, None]:
        """Yield the pages of a list, each requested when it is needed; at least one, which may be empty."""
        wanted, number, seen = query or ImageQuery(), 0, 0
        while True:
            page = await self.page(wanted, number, size)
            yield page
            number, seen = number + 1, seen + len(page.images)
            if not page.images or seen >= page.total:
                return

    async def images(self, query: ImageQuery | None = None) -> AsyncGenerator[Image, None]:
        """Yield the images that match.

        ```python
        async for image in longshore.images(ImageQuery(tag="alpine", ready=True)):
            print(image.reference, image.size)
        ```
        """
        async with aclosing(self.pages(query)) as pages:
            async for page in pages:
                for image in page.images:
                    yield image

    async def cancel(self, image_id: int) -> ImportDetails:
        """Cancel an image's import and return its details.

        Raises the ApiErrors `import_not_open` if no import is under way, and `import_finishing` if the worker is
        already writing the tag.
        """
        return ImportDetails.of(await self._post(f"/images/{image_id}/importing:cancel"))

    async def cancel_and_wait(self, image_id: int) -> ImportDetails:
        """Cancel an image's import and return its final details: it may have ended in another way before.

        An import that writes its tag cannot be cancelled and ends within moments; the client asks again until then.
        """
        while True:
            try:
                return await self.cancel(image_id)
            except ApiError as error:
                if error.code == _NOT_OPEN:
                    return await self.details(image_id)
                if error.code != _FINISHING:
                    raise
                await asyncio.sleep(CANCEL_PAUSE)

    async def retry(self, image_id: int, credentials: Credentials | None = None) -> StartedImport:
        """Start a failed or cancelled import again; raises the ApiError `import_not_retryable` for any other."""
        body = {"credentials": credentials_json(credentials)} if credentials else None
        return StartedImport.of(await self._post(f"/images/{image_id}/importing:retry", body))

    async def delete(self, image_id: int) -> str:
        """Delete an image and return the part that was removed from the target: `manifest`, `tag` or `nothing`."""
        answer = await self._connected.call("DELETE", f"{BASE}/images/{image_id}")
        return answer.headers.get(REMOVED_HEADER, "")

    async def statistics(self) -> TargetStatistics:
        """Return the target's figures."""
        return decode(TargetStatistics, await self._get("/harbor/stats"))

    async def alive(self) -> None:
        """Return if the API's process answers; the token is not checked."""
        await self._connected.call("GET", "/healthz")

    async def readiness(self) -> Readiness:
        """Return the state of each of the API's parts."""
        return Readiness.of(json_object(await self._connected.readiness()))


def client_version() -> str:
    """Return the version of the installed distribution, or an empty text in a source tree that is not installed."""
    try:
        return version(_DISTRIBUTION)
    except PackageNotFoundError:
        return ""
