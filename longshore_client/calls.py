"""The API's requests with JSON bodies, for the client's methods."""

from collections.abc import Mapping

from longshore_client.access import BASE
from longshore_client.answers import Json
from longshore_client.transport import Transport


class Calls:
    """Sends requests below the API's base path through an open transport."""

    def __init__(self) -> None:
        self._transport: Transport | None = None

    @property
    def _connected(self) -> Transport:
        if self._transport is None:
            raise RuntimeError("a LongshoreClient is used inside `async with`")
        return self._transport

    async def _get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        return (await self._connected.call("GET", f"{BASE}{path}", query=query)).json_object()

    async def _post(self, path: str, body: object = None) -> Json:
        return (await self._connected.call("POST", f"{BASE}{path}", body=body)).json_object()

    async def _patch(self, path: str, body: object) -> Json:
        return (await self._connected.call("PATCH", f"{BASE}{path}", body=body)).json_object()

    async def _delete(self, path: str) -> None:
        await self._connected.call("DELETE", f"{BASE}{path}")
