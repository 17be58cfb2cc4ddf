"""The API's operations as methods."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Self

from longshore_client.access import BASE, Access, clean_token, clean_url
from longshore_client.account import Account, Credentials, credentials_json
from longshore_client.answer import Json, objects
from longshore_client.errors import UnexpectedAnswerError
from longshore_client.identity import Identity
from longshore_client.image import FullImage, Image, ImagePage
from longshore_client.image_query import ImageQuery
from longshore_client.import_details import ImportDetails
from longshore_client.import_plan import ImportPlan
from longshore_client.import_request import ImportRequest
from longshore_client.patience import DEFAULT_SECONDS, Patience, Trouble
from longshore_client.readiness import Readiness
from longshore_client.started_import import StartedImport
from longshore_client.stored_registry import StoredRegistry
from longshore_client.target_statistics import TargetStatistics
from longshore_client.transport import Answer, Transport, open_transport
from longshore_client.watch import Watch, look

# The API's own limit.
MAX_PAGE_SIZE = 200
REMOVED_HEADER = "X-Longshore-Removed"


class LongshoreClient:
    """Calls one Longshore API with one token. Every method raises ClientErrors, with what to do in `hint`.

    ```python
    async with LongshoreClient("https://longshore.example.com", token) as longshore:
        started = await longshore.import_image("docker.io/library/alpine:3.20", platforms=("linux/amd64",))
        async for details in longshore.watch(started.image_id):
            print(details.state, details.progress)
        print((await longshore.image(started.image_id)).digest_reference)
    ```

    May be used by many tasks at once. Raises ValueError for an address or a token that cannot be one.
    """

    def __init__(self, url: str, token: str) -> None:
        self._access = Access(url=clean_url(url), token=clean_token(token))
        self._open = AsyncExitStack()
        self._transport: Transport | None = None

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
        """Tell whom the token stands for."""
        return Identity.of(await self._get("/whoami"))

    async def import_image(self, source: str, **options: Any) -> StartedImport:
        """Start an import; options are ImportRequest's fields. An equal one that is under way is joined.

        ```python
        await longshore.import_image("quay.io/team/app:1.0", target="team/app:1.0", credentials="quay")
        ```
        """
        return await self.start(ImportRequest(source=source, **options))

    async def start(self, request: ImportRequest) -> StartedImport:
        """Start an import."""
        return StartedImport.of(await self._post("/images:import", request.body()))

    async def plan(self, request: ImportRequest) -> ImportPlan:
        """Tell what an import would do, and do nothing."""
        return ImportPlan.of(await self._post("/images:import", request.body(dry_run=True)))

    async def details(self, image_id: int) -> ImportDetails:
        """Look at an image's newest import once."""
        return await look(self._call, image_id)

    def watch(
        self, image_id: int, *, patience: float = DEFAULT_SECONDS, trouble: Trouble | None = None
    ) -> AsyncGenerator[ImportDetails, None]:
        """Yield an import's details whenever they change, the final ones last.

        Breaks of the connection and restarts of the API are borne, for `patience` seconds in a row at most; `trouble`
        is told of each. An image that is deleted meanwhile ends it with the ApiError `image_not_found`.

        ```python
        async for details in longshore.watch(7):
            print(details.message)
        ```
        """
        return Watch(self._call, image_id, Patience(patience, trouble)).details()

    async def wait(self, image_id: int, *, patience: float = DEFAULT_SECONDS) -> ImportDetails:
        """Follow an import to its end and return the final details, whichever they are.

        ```python
        if not (await longshore.wait(7)).ready:
            await longshore.retry(7)
        ```
        """
        async with aclosing(self.watch(image_id, patience=patience)) as news:
            async for details in news:
                if details.final:
                    return details
        raise AssertionError("a watch ends with final details or an exception")

    async def image(self, image_id: int) -> FullImage:
        """Look at one image."""
        return FullImage.of(await self._get(f"/images/{image_id}"))

    async def page(self, query: ImageQuery, number: int = 0, size: int = MAX_PAGE_SIZE) -> ImagePage:
        """Return one page of the images that match; pages count from 0."""
        return ImagePage.of(
            _object(await self._call.call("GET", f"{BASE}/images", query=query.parameters(number, size)))
        )

    async def pages(
        self, query: ImageQuery | None = None, *, size: int = MAX_PAGE_SIZE
    ) -> AsyncGenerator[ImagePage, None]:
        """Yield the pages of a list, each asked for when it is wanted; at least one, which may be empty."""
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
        """End an image's import."""
        return ImportDetails.of(await self._post(f"/images/{image_id}/importing:cancel"))

    async def retry(self, image_id: int, credentials: Credentials | None = None) -> StartedImport:
        """Start a failed or cancelled import once more."""
        body = {"credentials": credentials_json(credentials)} if credentials else None
        return StartedImport.of(await self._post(f"/images/{image_id}/importing:retry", body))

    async def delete(self, image_id: int) -> str:
        """Delete an image; returns what went from the target: `manifest`, `tag` or `nothing`."""
        answer = await self._call.call("DELETE", f"{BASE}/images/{image_id}")
        return answer.headers.get(REMOVED_HEADER, "")

    async def registries(self) -> Sequence[StoredRegistry]:
        """List the stored source registries."""
        return [StoredRegistry.of(entry) for entry in objects(await self._get("/image-registries"), "registries")]

    async def add_registry(
        self, name: str, url: str, *, account: Account | None = None, default: bool = False
    ) -> StoredRegistry:
        """Store a source registry with its account; for admins."""
        known = {"username": account.username, "password": account.password} if account else {}
        body = {"name": name, "url": url, "isDefault": default, **known}
        return StoredRegistry.of(await self._post("/image-registries", body))

    async def change_registry(self, registry_id: int, **changes: object) -> StoredRegistry:
        """Change a stored registry: `name`, `url`, `username`, `password`, `isDefault`; None removes an account."""
        answer = await self._call.call("PATCH", f"{BASE}/image-registries/{registry_id}", body=changes)
        return StoredRegistry.of(_object(answer))

    async def delete_registry(self, registry_id: int) -> None:
        """Forget a stored registry."""
        await self._call.call("DELETE", f"{BASE}/image-registries/{registry_id}")

    async def statistics(self) -> TargetStatistics:
        """Return the target's figures."""
        return TargetStatistics.of(await self._get("/harbor/stats"))

    async def alive(self) -> None:
        """Return when the API's process answers; no token is needed."""
        await self._call.call("GET", "/healthz")

    async def readiness(self) -> Readiness:
        """Ask the API which of its parts work."""
        return Readiness.of(_mapping(await self._call.readiness()))

    @property
    def _call(self) -> Transport:
        if self._transport is None:
            raise RuntimeError("a LongshoreClient is used inside `async with`")
        return self._transport

    async def _get(self, path: str) -> Json:
        return _object(await self._call.call("GET", f"{BASE}{path}"))

    async def _post(self, path: str, body: object = None) -> Json:
        return _object(await self._call.call("POST", f"{BASE}{path}", body=body))


def client_version() -> str:
    """Return the version of the distribution, empty where it is not installed."""
    try:
        return version("longshore")
    except PackageNotFoundError:
        return ""


def _object(answer: Answer) -> Json:
    return _mapping(answer.body)


def _mapping(body: object) -> Json:
    if not isinstance(body, dict):
        raise UnexpectedAnswerError("The API's answer is no JSON object.", hint="Check the address of the API.")
    return body
