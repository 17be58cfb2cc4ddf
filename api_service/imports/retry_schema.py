"""The form of POST /images/:id/importing:retry's body."""

from typing import Any

from marshmallow import Schema, post_load

from api_service.imports.requests import CredentialsSchema
from api_service.imports.retry import RetryRequest
from api_service.web.fields import NameOrNested


class RetrySchema(Schema):
    """The body, which may also be left out."""

    credentials = NameOrNested(CredentialsSchema, allow_none=True, load_default=None)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> RetryRequest:
        return RetryRequest(**data)
