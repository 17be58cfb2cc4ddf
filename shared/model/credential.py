"""A registry account."""

from base64 import b64encode
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credential:
    """User name and password; the password shows in no repr, and so in no log."""

    username: str
    password: str = field(repr=False)

    def basic(self) -> str:
        """Return the Authorization header for the Basic scheme (RFC 7617, UTF-8)."""
        return f"Basic {b64encode(f'{self.username}:{self.password}'.encode()).decode()}"
