"""Answers as JSON: the response, the fields that schemas describe, and times as the contract writes them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web
from marshmallow import EXCLUDE, Schema, fields, validate

MILLISECONDS_OF_MINUTE = 60_000
# Pages repeat the same minutes.
MINUTES_CACHED = 1000


def json_answer(body: Mapping[str, Any], *, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    """Return the body as application/json."""
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")


def rfc3339(time: datetime) -> str:
    """Return such as 2025-01-15T10:00:00.000Z."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rfc3339_of(milliseconds: int) -> str:
    """Return the same for milliseconds since 1970, faster: images of one page were often created in the same minute."""
    minutes, rest = divmod(milliseconds, MILLISECONDS_OF_MINUTE)
    return f"{_minute(minutes)}:{rest // 1000:02}.{rest % 1000:03}Z"


@lru_cache(maxsize=MINUTES_CACHED)
def _minute(minutes: int) -> str:
    return datetime.fromtimestamp(minutes * 60, UTC).isoformat()[: len("2026-11-23T12:34")]


class AnswerSchema(Schema):
    """An answer's form. Clients ignore fields that they do not know, so that answers can grow.

    `required` are the contract's own fields; the others are always present, too, unless their description says
    otherwise.
    """

    class Meta:  # noqa: D106 - marshmallow's own
        unknown = EXCLUDE


def text(description: str, **options: Any) -> fields.String:
    return fields.String(metadata={"description": description}, **options)


def number(description: str, *, least: int = 0, **options: Any) -> fields.Integer:
    return fields.Integer(
        strict=True, metadata={"description": description}, validate=validate.Range(min=least), **options
    )


def flag(description: str, **options: Any) -> fields.Boolean:
    return fields.Boolean(metadata={"description": description}, **options)


def choice(values: Iterable[str], description: str, **options: Any) -> fields.String:
    return fields.String(
        metadata={"description": description}, validate=validate.OneOf([str(value) for value in values]), **options
    )


def moment(description: str, **options: Any) -> fields.String:
    """RFC 3339 in UTC, with milliseconds."""
    return fields.String(metadata={"description": description, "format": "date-time"}, **options)
