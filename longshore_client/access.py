"""The address of an API and the token for it."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

BASE = "/api/v1"
_SCHEMES = ("http", "https")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """An API's address, without `/api/v1` and without a final slash, and a token. The token is not in the repr."""

    url: str
    token: str = field(repr=False)

    @property
    def unencrypted(self) -> bool:
        """Whether requests carry the token over a network without TLS."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and not _is_loopback(parts.hostname or "")


def clean_url(text: str) -> str:
    """Return an address in its normal form; `longshore.example.com` means https. Raises ValueError."""
    given = text.strip()
    parts = urlsplit(given if "://" in given else f"https://{given}")
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise ValueError("an address looks like https://longshore.example.com")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("an address has no account, query or fragment")
    _ = parts.port  # Raises ValueError for a port that is not a number.
    path = parts.path.rstrip("/").removesuffix(BASE).rstrip("/")
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def clean_token(text: str) -> str:
    """Return a token without surrounding blanks. Raises ValueError if an HTTP header cannot carry it."""
    token = text.strip()
    if not token:
        raise ValueError("the token is empty")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("a token is one word of ASCII characters")
    return token


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
