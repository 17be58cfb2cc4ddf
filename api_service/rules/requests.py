"""The request bodies of /import-rules."""

from collections.abc import Callable
from functools import partial
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate

from api_service.rules.patterns import check_source, check_target
from api_service.rules.request import RuleChange
from api_service.rules.rule import Placeholder
from api_service.rules.subjects import check_subject
from api_service.web.fields import Boolean, line
from shared.model.import_rule import MAX_WEIGHT, RuleValues
from shared.model.integers import MAX_INT32, MAX_INT64

# Characters of a rule's name, which people type into commands and read in refusals.
MAX_NAME_LENGTH = 100
# Subjects of one rule: more users than that are a group.
MAX_SUBJECTS = 100
# Patterns of sources, and of targets. Each request is compared with all of them, and a full body fits into 64 KiB.
MAX_PATTERNS = 50
LISTS = ("subjects", "sources", "targets")
_ANYWHERE = (Placeholder.USER, Placeholder.GROUP)
_WHOLE = (Placeholder.DEFAULT_PROJECT, Placeholder.SOURCE)
_NAME = (*line(MAX_NAME_LENGTH), validate.Regexp(r"\S(.*\S)?\Z", error="Must not begin or end with a blank."))


def _subject(text: str) -> None:
    _check(check_subject, text)


def _source(text: str) -> None:
    _check(check_source, text)


def _target(text: str) -> None:
    _check(partial(check_target, placeholders=_ANYWHERE, whole=_WHOLE), text)


def _check(check: Callable[[str], None], text: str) -> None:
    try:
        check(text)
    except ValueError as error:
        raise ValidationError(f"{error}.") from None


def _list(check: Callable[[str], None], most: int, **options: Any) -> fields.List[str]:
    return fields.List(fields.String(validate=check), validate=validate.Length(1, most), **options)


def _limit(name: str, most: int) -> fields.Integer:
    return fields.Integer(strict=True, data_key=name, allow_none=True, validate=validate.Range(1, most))


class _RuleSchema(Schema):
    """The fields that both requests share; unknown fields are refused."""

    create_projects = Boolean(data_key="createProjects")
    overwrite_foreign = Boolean(data_key="overwriteForeignTags")
    max_image_bytes = _limit("maxImageBytes", MAX_INT64)
    max_open_imports = _limit("maxOpenImports", MAX_INT32)
    max_bytes_per_month = _limit("maxBytesPerMonth", MAX_INT64)
    weight = fields.Integer(strict=True, validate=validate.Range(1, MAX_WEIGHT))


class NewRuleSchema(_RuleSchema):
    """The body of POST /import-rules."""

    name = fields.String(required=True, validate=_NAME)
    subjects = _list(_subject, MAX_SUBJECTS, required=True)
    sources = _list(_source, MAX_PATTERNS, required=True)
    targets = _list(_target, MAX_PATTERNS, required=True)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> RuleValues:
        return RuleValues(**_with_tuples(data))


class RuleChangeSchema(_RuleSchema):
    """The body of PATCH /import-rules/:id, a JSON merge patch (RFC 7396): null removes, an absent field stays."""

    name = fields.String(validate=_NAME)
    subjects = _list(_subject, MAX_SUBJECTS)
    sources = _list(_source, MAX_PATTERNS)
    targets = _list(_target, MAX_PATTERNS)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> RuleChange:
        return RuleChange(values=_with_tuples(data))


def _with_tuples(data: dict[str, Any]) -> dict[str, Any]:
    """Return the values with lists as tuples, each entry once."""
    return {name: tuple(dict.fromkeys(value)) if name in LISTS else value for name, value in data.items()}
