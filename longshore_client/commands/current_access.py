"""The API and the token in use: the environment has precedence over the file of `longshore login`."""

from collections.abc import Mapping
from dataclasses import dataclass

from longshore_client.access import Access, clean_token, clean_url
from longshore_client.commands.config_file import ConfigFileError, config_path, read_access

URL = "LONGSHORE_URL"
TOKEN = "LONGSHORE_TOKEN"  # noqa: S105 - a variable's name
ENVIRONMENT = "environment"


class NoAccessError(Exception):
    """The API's address or the token is missing or unusable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentAccess:
    """The access in use, and the origins of its address and its token: `environment` or the file's path."""

    access: Access
    url_from: str
    token_from: str


def find_access(environment: Mapping[str, str]) -> CurrentAccess:
    """Return the access; raises NoAccessError. A stored token is never sent to an address other than its own."""
    try:
        return _find(environment)
    except (ValueError, ConfigFileError) as error:
        raise NoAccessError(str(error)) from None


def _find(environment: Mapping[str, str]) -> CurrentAccess:
    path = config_path(environment)
    url, token = environment.get(URL, ""), environment.get(TOKEN, "")
    if url and token:
        return CurrentAccess(access=_access(url, token), url_from=ENVIRONMENT, token_from=ENVIRONMENT)
    stored = read_access(path)
    if stored is None:
        missing = TOKEN if url else URL if token else f"{URL} and {TOKEN}"
        raise NoAccessError(f"You are not signed in: {path} does not exist, and the environment has no {missing}.")
    if url and clean_url(url) != stored.url:
        raise NoAccessError(f"The stored token is for {stored.url}, not for {URL}; set {TOKEN}, too, or sign in there.")
    access = _access(url or stored.url, token or stored.token)
    return CurrentAccess(
        access=access, url_from=ENVIRONMENT if url else str(path), token_from=ENVIRONMENT if token else str(path)
    )


def _access(url: str, token: str) -> Access:
    try:
        return Access(url=clean_url(url), token=clean_token(token))
    except ValueError as error:
        raise ValueError(f"{URL} or {TOKEN} cannot be used: {error}") from None
