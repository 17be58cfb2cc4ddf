"""The form in which registry accounts are stored: JSON, encrypted, bound to the place that it was made for.

Encryption alone does not protect against a writer of the database who moves an encrypted text to another row: Longshore
would send the password to the other row's host. Each text therefore names its purpose, host and user, and they are
compared when it is opened.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.credential import Credential

# The first form had no version: an import's account was JSON without purpose and host, a stored password was itself.
VERSION = 2
_FIRST_FIELDS = {"username", "password"}


class Box(Protocol):
    """Encrypts text for storage and decrypts it again."""

    def seal(self, text: str) -> bytes:
        """Return the encrypted text."""
        ...

    def open(self, sealed: bytes) -> str:
        """Return the decrypted text; raises LongshoreError if no key fits."""
        ...


class Purpose(StrEnum):
    """The use of a sealed account; the values are stored."""

    IMPORT = "import account"
    STORED_REGISTRY = "stored registry password"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """The place that a sealed account belongs to, as its row names it.

    `host` is the registry that the password may be sent to. `username` is None if the row has none: an import's user
    name is in the sealed text alone.
    """

    purpose: Purpose
    host: str
    username: str | None = None


def seal_account(box: Box, credential: Credential | None, *, host: str) -> bytes | None:
    """Return an import's encrypted account for its source's registry, or None for anonymous access."""
    return None if credential is None else seal(box, credential, Binding(purpose=Purpose.IMPORT, host=host))


def open_account(box: Box, sealed: bytes | None, *, host: str) -> Credential | None:
    """Return the account that `seal_account` encrypted for this registry, or None for anonymous access.

    Raises `credentials_unreadable` if no key of the box fits, or if the account belongs to another place.
    """
    return None if sealed is None else unseal(box, sealed, Binding(purpose=Purpose.IMPORT, host=host))


def seal_stored(box: Box, credential: Credential, *, host: str) -> bytes:
    """Return the encrypted password of a stored registry, bound to its host and user name."""
    return seal(box, credential, _stored(host, credential.username))


def open_stored(box: Box, sealed: bytes, *, host: str, username: str) -> Credential:
    """Return the account whose password `seal_stored` encrypted; raises `credentials_unreadable`."""
    return unseal(box, sealed, _stored(host, username))


def seal(box: Box, credential: Credential, to: Binding) -> bytes:
    """Return the encrypted account, bound to this place."""
    bound = {
        "version": VERSION,
        "purpose": to.purpose,
        "host": to.host,
        # A worker of the release with the first form reads these two.
        "username": credential.username,
        "password": credential.password,
    }
    return box.seal(json.dumps(bound))


def unseal(box: Box, sealed: bytes, at: Binding) -> Credential:
    """Return the account; raises `credentials_unreadable` unless it was sealed for this place, or in the first form."""
    text = box.open(sealed)
    fields = _object(text)
    if "version" not in fields:
        return _open_first_form(text, fields, at)
    bound = (fields.get("version"), fields.get("purpose"), fields.get("host"))
    username, password = fields.get("username"), fields.get("password")
    if bound != (VERSION, at.purpose, at.host) or not isinstance(username, str) or not isinstance(password, str):
        raise _misplaced()
    if at.username not in (None, username):
        raise _misplaced()
    return Credential(username, password)


def _stored(host: str, username: str) -> Binding:
    return Binding(purpose=Purpose.STORED_REGISTRY, host=host, username=username)


def _object(text: str) -> Mapping[str, Any]:
    """Return the JSON object, or nothing if the text is another one: a stored password in the first form."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _open_first_form(text: str, fields: Mapping[str, Any], at: Binding) -> Credential:
    """Read the form that names no place. Its two purposes differ in shape, which is compared at least."""
    is_account = fields.keys() == _FIRST_FIELDS
    if at.purpose is Purpose.IMPORT and is_account:
        return Credential(fields["username"], fields["password"])
    if at.purpose is Purpose.STORED_REGISTRY and at.username is not None and not is_account:
        return Credential(at.username, text)
    raise _misplaced()


def _misplaced() -> LongshoreError:
    return LongshoreError(
        Code.CREDENTIALS_UNREADABLE,
        "The stored credentials were encrypted for another host, user name or purpose than those of their row.",
    )
