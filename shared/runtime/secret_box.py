"""Encrypts the credentials that are stored in the database."""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from shared.errors.codes import Code
from shared.errors.error import LongshoreError


class SecretBox:
    """Encrypts with the first key and decrypts with any of them, so that keys can be rotated."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Take Fernet keys (32 bytes, url-safe base64); raises ValueError when one is malformed."""
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, text: str) -> bytes:
        """Return the text, encrypted and authenticated."""
        return self._fernet.encrypt(text.encode())

    def open(self, sealed: bytes) -> str:
        """Return the text; raises `credentials_unreadable` when no key fits."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            raise LongshoreError(
                Code.CREDENTIALS_UNREADABLE, "None of SECRET_KEYS opens the stored credentials."
            ) from None
