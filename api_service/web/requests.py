"""Reads bodies, queries and ids of requests as checked values; every failure is a LongshoreError."""

import asyncio
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NoReturn

from aiohttp import web
from marshmallow import Schema, ValidationError
from webargs.aiohttpparser import AIOHTTPParser, is_json_request
from yarl import URL

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.integers import MAX_INT64
from shared.runtime.strict_json import load_object

# An import request is a few hundred bytes; references and descriptions have limits of their own. Bytes.
MAX_BODY = 64 * 1024
# A report on the largest image that registries take, all of its layers at once. Bytes.
MAX_REPORT_BODY = 8 * 1024 * 1024
# A slower client occupies a connection for too long. Seconds for the whole body.
BODY_TIMEOUT = 30.0
# Limits on the problems of one body in the answer: in `errors`, and in the sentence of `detail`.
MAX_FIELDS_SHOWN = 50
MAX_SENTENCES = 5
# Clients request the same few lists repeatedly. Queries, each of up to 8 KiB.
QUERIES_KEPT = 256

_ID = re.compile(r"[0-9]{1,19}")


async def read_body(request: web.Request, schema: Schema, *, limit: int = MAX_BODY) -> Any:
    """Return the object that the schema loads from the JSON body.

    Raises `content_type_unsupported`, `body_too_large`, `body_malformed`, `validation_failed`.
    """
    return await _Parser(limit).parse(schema, request, location="json")


@lru_cache(maxsize=QUERIES_KEPT)
def read_query(query: str, schema: Schema) -> Any:
    """Return the object that the schema loads from a URL's query; it is cached, so do not change it.

    Raises `validation_failed`. It does without webargs, whose overhead is larger than all other work.
    """
    given = URL.build(query_string=query, encoded=True).query
    repeated = {name: "Given more than once." for name in given if len(given.getall(name)) > 1}
    if repeated:
        raise _invalid(repeated)
    try:
        return schema.load(dict(given))
    except ValidationError as error:
        raise _invalid(dict(_flat(error.messages_dict))) from None


def read_id(request: web.Request, unknown: Code) -> int:
    """Return the id in the path; raises `unknown` for a text that cannot be an id, as for an id that does not exist."""
    text = request.match_info["id"]
    if _ID.fullmatch(text) is None or int(text) > MAX_INT64:
        raise LongshoreError(unknown, "An id is a number; the list shows it.")
    return int(text)


class _Parser(AIOHTTPParser):
    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    async def load_json(self, req: web.Request, schema: Schema) -> dict[str, Any]:  # noqa: ARG002 - webargs' signature
        if not is_json_request(req):
            raise LongshoreError(Code.CONTENT_TYPE_UNSUPPORTED, f"The body is announced as {req.content_type[:100]!r}.")
        content = await _read(req, self._limit)
        try:
            return load_object(content)
        except ValueError as error:
            raise LongshoreError(Code.BODY_MALFORMED, str(error)) from None

    def handle_error(self, error: ValidationError, *_: Any, **__: Any) -> NoReturn:
        # webargs nests all messages below the location's name: {"json": ...}.
        messages = error.messages_dict
        raise _invalid(dict(pair for below in messages.values() for pair in _flat(below)))


def _invalid(fields: Mapping[str, str]) -> LongshoreError:
    shown = list(fields.items())[:MAX_FIELDS_SHOWN]
    sentences = (f"{field}: {message}" if field else message for field, message in shown[:MAX_SENTENCES])
    return LongshoreError(Code.VALIDATION_FAILED, " ".join(sentences), fields=dict(shown))


def _flat(messages: object, path: str = "") -> list[tuple[str, str]]:
    """Turn marshmallow's nested messages into `credentials.password` and a sentence."""
    if isinstance(messages, dict):
        pairs = (_flat(value, _join(path, str(key))) for key, value in messages.items())
        return [pair for group in pairs for pair in group]
    if isinstance(messages, list):
        return [(path, " ".join(map(str, messages)))]
    return [(path, str(messages))]


def _join(path: str, key: str) -> str:
    if key == "_schema":
        return path
    return f"{path}.{key}" if path else key


async def _read(request: web.Request, limit: int) -> bytes:
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for part in request.content.iter_any():
                body += part
                if len(body) > limit:
                    raise _too_large(limit)
    except TimeoutError:
        raise LongshoreError(
            Code.BODY_MALFORMED, f"The body did not arrive within {BODY_TIMEOUT:.0f} seconds."
        ) from None
    except web.RequestPayloadError:
        raise LongshoreError(Code.BODY_MALFORMED, "The body's transfer or content encoding is broken.") from None
    return bytes(body)


def _too_large(limit: int) -> LongshoreError:
    return LongshoreError(Code.BODY_TOO_LARGE, f"The body has more than {limit} bytes.")
