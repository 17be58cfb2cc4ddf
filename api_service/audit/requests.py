"""The query of GET /audit."""

import re
from datetime import datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate

from api_service.audit.read_events import AuditQuery
from api_service.audit.write_events import MAX_TEXT
from api_service.web.fields import Digits, line, query_boolean
from shared.db.access.audit import AuditFilter
from shared.model.integers import MAX_INT64

MAX_PAGE_SIZE = 200
DEFAULT_PAGE_SIZE = 50

_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


class _Time(fields.String):
    """RFC 3339; a time without a zone is refused, because it could be anyone's."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> datetime:  # type: ignore[override]
        try:
            if isinstance(value, str) and _TIME.fullmatch(value):
                return datetime.fromisoformat(value.upper())
        except ValueError:
            pass
        raise ValidationError("Must be a time such as 2026-11-30T12:00:00Z.")


class AuditQuerySchema(Schema):
    """The filters, the cursor, and the size of a page."""

    user_name = fields.String(data_key="userName", load_default=None, validate=line(MAX_TEXT))
    operation = fields.String(load_default=None, validate=line(MAX_TEXT))
    object = fields.String(load_default=None, validate=line(MAX_TEXT))
    code = fields.String(load_default=None, validate=line(MAX_TEXT))
    refused = query_boolean(load_default=None)
    since = _Time(load_default=None, metadata={"format": "date-time"})
    until = _Time(load_default=None, metadata={"format": "date-time"})
    before = Digits(load_default=None, validate=validate.Range(1, MAX_INT64))
    page_size = Digits(load_default=DEFAULT_PAGE_SIZE, validate=validate.Range(1, MAX_PAGE_SIZE))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> AuditQuery:
        before, size = data.pop("before"), data.pop("page_size")
        return AuditQuery(matching=AuditFilter(**data), before=before, size=size)
