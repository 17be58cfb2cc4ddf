"""Fields of answers, with the words that the description of the API has for them."""

from collections.abc import Iterable
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate


class AnswerSchema(Schema):
    """An answer's form. Clients ignore fields that they do not know, so that answers can grow.

    `required` are the contract's own fields; those beside them are always there, too, unless it is said otherwise.
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
