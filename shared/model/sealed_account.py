"""The form in which an import's registry account is stored: JSON, encrypted."""

import json
from typing import Protocol

from shared.model.credential import Credential


class Box(Protocol):
    """Encrypts text for storage and decrypts it again."""

    def seal(self, text: str) -> bytes:
        """Return the encrypted text."""
        ...

    def open(self, sealed: bytes) -> str:
        """Return the decrypted text; raises LongshoreError if no key fits."""
        ...


def seal_account(box: Box, credential: Credential | None) -> bytes | None:
    """Return the encrypted account, or None for anonymous access."""
    if credential is None:
        return None
    return box.seal(json.dumps({"username": credential.username, "password": credential.password}))


def open_account(box: Box, sealed: bytes | None) -> Credential | None:
    """Return the account that `seal_account` encrypted, or None for anonymous access.

    Raises `credentials_unreadable` if no key of the box fits.
    """
    if sealed is None:
        return None
    fields = json.loads(box.open(sealed))
    return Credential(fields["username"], fields["password"])
