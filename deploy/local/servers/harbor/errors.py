"""Harbor's error answers: `{"errors": [{"code", "message"}]}` (src/lib/errors, src/lib/http/error.go)."""

from __future__ import annotations

import json
from http import HTTPStatus

from aiohttp import web


class HarborError(Exception):
    """An answer with a code of src/lib/errors/const.go and its status."""

    def __init__(self, status: HTTPStatus, code: str, message: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def answer(self) -> web.Response:
        """Render the answer as Harbor does, including the newline."""
        body = json.dumps({"errors": [{"code": self.code, "message": self.message}]}) + "\n"
        return web.Response(
            status=self.status,
            body=body.encode(),
            headers={"Content-Type": "application/json; charset=utf-8", **self.headers},
        )


def unauthorized(message: str = "unauthorized", *, challenge: str | None = None) -> HarborError:
    headers = {} if challenge is None else {"Www-Authenticate": challenge}
    return HarborError(HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED", message, headers=headers)


def forbidden(message: str = "forbidden") -> HarborError:
    return HarborError(HTTPStatus.FORBIDDEN, "FORBIDDEN", message)


def denied(message: str) -> HarborError:
    """Refuse a request independently of the caller's rights: a full quota, read-only mode."""
    return HarborError(HTTPStatus.FORBIDDEN, "DENIED", message)


def not_found(message: str) -> HarborError:
    return HarborError(HTTPStatus.NOT_FOUND, "NOT_FOUND", message)


def conflict(message: str) -> HarborError:
    return HarborError(HTTPStatus.CONFLICT, "CONFLICT", message)


def bad_request(message: str) -> HarborError:
    return HarborError(HTTPStatus.BAD_REQUEST, "BAD_REQUEST", message)


def unprocessable(message: str) -> HarborError:
    """Refuse a parameter that the API description does not allow; go-swagger does that before Harbor's handlers."""
    return HarborError(HTTPStatus.UNPROCESSABLE_ENTITY, "UNPROCESSABLE_ENTITY", message)


def precondition(message: str) -> HarborError:
    return HarborError(HTTPStatus.PRECONDITION_FAILED, "PRECONDITION", message)


def referenced(message: str) -> HarborError:
    return HarborError(HTTPStatus.PRECONDITION_FAILED, "VIOLATE_FOREIGN_KEY_CONSTRAINT", message)
