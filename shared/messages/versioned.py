"""The version that every message carries.

A reader rejects unknown versions and ignores unknown fields, so that services of neighbouring releases run side by
side.
"""

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

VERSION = 1


class Versioned(Schema):
    class Meta:  # noqa: D106 - marshmallow's own form
        unknown = EXCLUDE

    version = fields.Integer(strict=True, required=True, validate=validate.Equal(VERSION))


def without_none(data: Any) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None}
