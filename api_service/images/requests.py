"""The query of GET /images."""

import re
from typing import Any

from marshmallow import Schema, fields, post_load, validate

from api_service.auth.identity import MAX_USER_LENGTH
from api_service.images.list_images import ImageQuery
from api_service.web.fields import printable
from shared.db.image_list.page import SORT_COLUMNS, ImageFilter, ImagePage
from shared.model.integers import MAX_INT64

MAX_PAGE_SIZE = 200
DEFAULT_PAGE_SIZE = 10
# So that the offset of the last page fits PostgreSQL's bigint.
MAX_PAGE_NUMBER = MAX_INT64 // MAX_PAGE_SIZE
# Characters; nothing that can be found is longer (repository, colon and tag: 384).
MAX_FILTER_LENGTH = 400

_INTEGER = re.compile(r"-?[0-9]{1,19}")


class _Integer(fields.Integer):
    """Digits only; int() would accept `+1`, `1_0` and other scripts' digits as well."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if not isinstance(value, str) or _INTEGER.fullmatch(value) is None:
            raise self.make_error("invalid", input=value)
        return int(value)


def _boolean(**options: Any) -> fields.Boolean:
    messages: dict[str, Any] = {"invalid": "Must be true or false."}
    return fields.Boolean(truthy={"true"}, falsy={"false"}, error_messages=messages, **options)


class ImageQuerySchema(Schema):
    """The parameters, named as in the contract."""

    page_num = _Integer(load_default=0, validate=validate.Range(0, MAX_PAGE_NUMBER))
    page_size = _Integer(load_default=DEFAULT_PAGE_SIZE, validate=validate.Range(1, MAX_PAGE_SIZE))
    order_by = fields.String(data_key="orderBy", load_default="createdTime", validate=validate.OneOf(SORT_COLUMNS))
    order = fields.String(load_default="desc", validate=validate.OneOf(("asc", "desc")))
    tag = fields.String(load_default=None, validate=(validate.Length(max=MAX_FILTER_LENGTH), printable))
    ready = _boolean(load_default=None)
    user_name = fields.String(
        data_key="userName", load_default=None, validate=(validate.Length(min=1, max=MAX_USER_LENGTH), printable)
    )
    flat = _boolean(load_default=False)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> ImageQuery:
        return ImageQuery(
            matching=ImageFilter(tag=data["tag"], ready=data["ready"], user_name=data["user_name"]),
            page=ImagePage(
                number=data["page_num"], size=data["page_size"], order_by=data["order_by"], order=data["order"]
            ),
            flat=data["flat"],
        )
