"""Requests to Harbor's API: authorised, bounded, retried only here; every failure is a LongshoreError."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from yarl import URL

from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.harbor.addresses import API
from shared.harbor.errors import harbor_error, is_harbor_error
from shared.http_client.failures import Failure
from shared.http_client.request import OK, Reply, Request
from shared.http_client.retry import retried
from shared.http_client.session import Outgoing
from shared.http_client.wire import Wire, read_error_reply, read_reply
from shared.model.credential import Credential

# Bytes of one response. A page of 100 artifacts with all their details has a few hundred kilobytes.
MAX_RESPONSE_SIZE = 4 * 1024 * 1024
OK_OR_MISSING = OK | {HTTPStatus.NOT_FOUND}
NO_HEADERS: Mapping[str, str] = {}
# "When the X-Is-Resource-Name is false and the parameter can be converted to an integer, the parameter will be as an
# id" (Harbor's API description): a project may be named 2024.
BY_NAME: Mapping[str, str] = {"X-Is-Resource-Name": "true"}


class HarborApi:
    """One Harbor under one account; `credential` is a user's or a robot account's (`robot$name`).

    Every request may be sent twice: reads, deletions of things that may be gone, and creations that may have happened.
    """

    def __init__(self, outgoing: Outgoing, host: str, credential: Credential | None) -> None:
        self._wire = Wire(outgoing)
        self._base = URL(f"{outgoing.policy.scheme(host)}://{host}{API}", encoded=True)
        self._authorization = credential.basic() if credential else None
        self._secrets = _secrets(credential)

    def get(
        self,
        path: str,
        step: str,
        *,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        accepts: frozenset[int] = OK,
    ) -> Request:
        """Return the request for a path whose segments are encoded; `step` completes "answered 404 while …"."""
        address = f"{path}?{urlencode(query)}" if query else path
        return self._request("GET", address, step, accepts, headers=headers or NO_HEADERS)

    def post(self, path: str, step: str, document: Mapping[str, Any], accepts: frozenset[int]) -> Request:
        headers = {"Content-Type": "application/json"}
        return self._request("POST", path, step, accepts, headers=headers, body=json.dumps(document).encode())

    def delete(self, path: str, step: str) -> Request:
        """Return a DELETE request; the thing may already be gone."""
        return self._request("DELETE", path, step, OK_OR_MISSING)

    async def send_once(self, request: Request) -> Reply:
        """As `send`, without a retry: for a caller that can do without the answer."""
        return await self._send(request, self._authorization)

    async def send(self, request: Request, *, anonymous: bool = False) -> Reply:
        """Send a request, with retries after transient errors, and return the whole response."""
        return await retried(lambda: self._send(request, None if anonymous else self._authorization))

    def error(self, request: Request, reply: Reply) -> LongshoreError:
        """Return the error for a response that is no success."""
        return harbor_error(request, reply, self._secrets)

    async def _send(self, request: Request, authorization: str | None) -> Reply:
        async with self._wire.open(request, authorization) as response:
            if response.status < HTTPStatus.BAD_REQUEST and response.status in request.accepts:
                return await read_reply(request, response)
            reply = await read_error_reply(request, response)
        if reply.status not in request.accepts:
            raise self.error(request, reply)
        if not is_harbor_error(request, reply):
            raise request.failed(Failure.PROTOCOL, f"answered {reply.status}, but not as Harbor does,")
        return reply

    def _request(
        self,
        method: str,
        path: str,
        step: str,
        accepts: frozenset[int],
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        body: bytes | None = None,
    ) -> Request:
        return Request(
            side=Side.TARGET,
            resource="registry",
            step=step,
            method=method,
            url=URL(f"{self._base}{path}", encoded=True),
            headers={"Accept": "application/json", **headers},
            body=body,
            accepts=accepts,
            limit=MAX_RESPONSE_SIZE,
        )


def _secrets(credential: Credential | None) -> tuple[str, ...]:
    """Return the strings to remove from messages, because a server might repeat them."""
    return (credential.password, credential.basic().partition(" ")[2]) if credential else ()
