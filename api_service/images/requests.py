"""The queries of GET /images, and of GET /images/:id/importing-details."""

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, post_load, validate

from api_service.auth.identity import MAX_USER_LENGTH
from api_service.images.import_details import MAX_LAYERS_SHOWN, LayerPage
from api_service.images.list_images import ImageQuery
from api_service.web.fields import Digits, printable, query_boolean
from shared.db.image_list.page import SORT_COLUMNS, ImageFilter, ImagePage
from shared.model.integers import MAX_INT64

MAX_PAGE_SIZE = 200
DEFAULT_PAGE_SIZE = 10
# So that the offset of the last page fits PostgreSQL's bigint.
MAX_PAGE_NUMBER = MAX_INT64 // MAX_PAGE_SIZE
MAX_LAYER_PAGE_NUMBER = MAX_INT64 // MAX_LAYERS_SHOWN
# Characters; nothing that can be found is longer (repository, colon and tag: 384).
MAX_FILTER_LENGTH = 400


class ImageQuerySchema(Schema):
    """The parameters, named as in the contract."""

    page_num = Digits(load_default=0, validate=validate.Range(0, MAX_PAGE_NUMBER))
    page_size = Digits(load_default=DEFAULT_PAGE_SIZE, validate=validate.Range(1, MAX_PAGE_SIZE))
    order_by = fields.String(data_key="orderBy", load_default="createdTime", validate=validate.OneOf(SORT_COLUMNS))
    order = fields.String(load_default="desc", validate=validate.OneOf(("asc", "desc")))
    tag = fields.String(load_default=None, validate=(validate.Length(max=MAX_FILTER_LENGTH), printable))
    ready = query_boolean(load_default=None)
    user_name = fields.String(
        data_key="userName", load_default=None, validate=(validate.Length(min=1, max=MAX_USER_LENGTH), printable)
    )
    flat = query_boolean(load_default=False)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> ImageQuery:
        return ImageQuery(
            matching=ImageFilter(tag=data["tag"], ready=data["ready"], user_name=data["user_name"]),
            page=ImagePage(
                number=data["page_num"], size=data["page_size"], order_by=data["order_by"], order=data["order"]
            ),
            flat=data["flat"],
        )


class DetailsQuerySchema(Schema):
    """Selects a page of the layers; without `page_num`, the details are about those that move."""

    class Meta:  # noqa: D106 - marshmallow's own
        # Releases before this one had no parameters here, and ignored all.
        unknown = EXCLUDE

    page_num = Digits(load_default=None, validate=validate.Range(0, MAX_LAYER_PAGE_NUMBER))
    page_size = Digits(load_default=MAX_LAYERS_SHOWN, validate=validate.Range(1, MAX_LAYERS_SHOWN))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> LayerPage | None:
        return None if data["page_num"] is None else LayerPage(number=data["page_num"], size=data["page_size"])
