"""The request bodies of /image-registries."""

from collections.abc import Callable
from functools import partial
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from api_service.registries.request import AccessChange, AccountChange, NewRegistry, RegistryChange
from api_service.rules.patterns import check_pattern
from api_service.rules.rule import Placeholder
from api_service.rules.subjects import check_subject
from api_service.web.fields import (
    MAX_HOST_LENGTH,
    MAX_PASSWORD_LENGTH,
    MAX_USERNAME_LENGTH,
    REGISTRY_NAME,
    Boolean,
    line,
)
from shared.model.account_access import AccountAccess
from shared.model.credential import Credential

# A host, and `https://` and a slash. Characters.
MAX_URL_LENGTH = MAX_HOST_LENGTH + 10
_NEEDED = ["Missing data for required field."]
# Entries of one list of an access list: enough for every team by name; longer ones should name a group or use a star.
MAX_ENTRIES = 100
# The placeholders that stand for the caller; the others belong to the names that an import derives.
_PLACEHOLDERS = (Placeholder.USER, Placeholder.GROUP)


def _subject(text: str) -> None:
    _check(check_subject, text)


def _repository(text: str) -> None:
    _check(check_pattern, text)


def _target(text: str) -> None:
    _check(partial(check_pattern, placeholders=_PLACEHOLDERS), text)


def _check(check: Callable[[str], None], text: str) -> None:
    try:
        check(text)
    except ValueError as error:
        raise ValidationError(f"{error}.") from None


def _list(check: Callable[[str], None], description: str) -> fields.List[str]:
    return fields.List(
        fields.String(validate=check),
        required=True,
        validate=validate.Length(1, MAX_ENTRIES),
        metadata={"description": description},
    )


class AccessSchema(Schema):
    """The imports that may use a stored account; all three lists must fit. Admins need no list."""

    subjects = _list(_subject, "`everybody`, `user:NAME` or `group:NAME`.")
    repositories = _list(_repository, "Patterns of repositories of the registry's host.")
    targets = _list(
        _target,
        "Patterns of `project/repository` in the target; `{user}` and `{group}` stand for the caller's.",
    )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> AccountAccess:
        return AccountAccess(**{name: tuple(entries) for name, entries in data.items()})


class NewRegistrySchema(Schema):
    """The body of POST /image-registries."""

    name = fields.String(required=True, validate=REGISTRY_NAME)
    url = fields.String(required=True, validate=line(MAX_URL_LENGTH))
    username = fields.String(allow_none=True, validate=line(MAX_USERNAME_LENGTH))
    password = fields.String(allow_none=True, load_only=True, validate=line(MAX_PASSWORD_LENGTH))
    is_default = Boolean(data_key="isDefault", load_default=False)
    access = fields.Nested(AccessSchema, allow_none=True)

    @validates_schema
    def _check_account(self, data: dict[str, Any], **_: Any) -> None:
        given = {name for name in ("username", "password") if data.get(name) is not None}
        if len(given) == 1:
            missing = "username" if "password" in given else "password"
            raise ValidationError({missing: _NEEDED})

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> NewRegistry:
        username, password = data.pop("username", None), data.pop("password", None)
        account = Credential(username, password) if username else None
        return NewRegistry(account=account, **data)


class RegistryChangeSchema(Schema):
    """The body of PATCH /image-registries/:id, a JSON merge patch (RFC 7396): null removes, an absent field stays."""

    name = fields.String(validate=REGISTRY_NAME)
    url = fields.String(validate=line(MAX_URL_LENGTH))
    username = fields.String(allow_none=True, validate=line(MAX_USERNAME_LENGTH))
    password = fields.String(allow_none=True, load_only=True, validate=line(MAX_PASSWORD_LENGTH))
    is_default = Boolean(data_key="isDefault")
    access = fields.Nested(AccessSchema, allow_none=True)

    @validates_schema
    def _check_account(self, data: dict[str, Any], **_: Any) -> None:
        """Accept a whole account, a new password, or the removal of both."""
        if "username" in data and "password" not in data:
            raise ValidationError({"password": _NEEDED})
        if "password" in data and data["password"] is None and data.get("username", "") is not None:
            raise ValidationError({"username": ["Must be null if the password is removed."]})
        if data.get("password") is not None and "username" in data and data["username"] is None:
            raise ValidationError({"username": ["Must not be null if there is a password."]})

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> RegistryChange:
        username, password = data.pop("username", None), data.pop("password", False)
        account = None if password is False else AccountChange(username=username, password=password)
        access = AccessChange(list=data.pop("access")) if "access" in data else None
        return RegistryChange(account=account, access=access, **data)
