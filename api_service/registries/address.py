"""Reads the address of a registry and normalizes it for storage and comparison.

The normal form is the `host[:port]` of references, without the port that its scheme implies.
"""

from urllib.parse import urlsplit

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.network.policy import HTTP_PORT, HTTPS_PORT, NetworkPolicy
from shared.oci.reference import normal_registry

_IMPLIED_PORTS = {"http": HTTP_PORT, "https": HTTPS_PORT}


def read_address(url: str, policy: NetworkPolicy) -> str:
    """Read `host[:port]` or `http(s)://host[:port]`; raises `validation_failed` naming `url`.

    The scheme has to be the one that Longshore uses for the host, so that an address never promises TLS that is not
    used. Docker Hub's other names become `docker.io`.
    """
    scheme, host = _split(url)
    try:
        normal = normal_registry(host)
        used = policy.scheme(normal)
    except ValueError as error:
        raise _refused(f"{error}.") from None
    if scheme not in ("", used):
        raise _refused(
            f"{normal} is called with {used}: "
            + (
                "it is listed in PLAIN_HTTP_HOSTS."
                if used == "http"
                else "plain http is for hosts that an operator lists in PLAIN_HTTP_HOSTS."
            )
        )
    return comparable_host(normal, policy)


def comparable_host(host: str, policy: NetworkPolicy) -> str:
    """Return a reference's registry in the normal form."""
    return host.removesuffix(f":{_IMPLIED_PORTS[policy.scheme(host)]}")


def registry_url(host: str, policy: NetworkPolicy) -> str:
    """Return the URL that Longshore calls."""
    return f"{policy.scheme(host)}://{host}"


def _split(url: str) -> tuple[str, str]:
    if "@" in url:
        # Do not repeat the text: there is usually a password before the `@`.
        raise _refused("An address holds no account; send `username` and `password`.")
    if "://" not in url:
        return "", url
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _refused("It is not an address.") from None
    if parts.scheme not in _IMPLIED_PORTS or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise _refused("Write host[:port] or https://host[:port], without a path.")
    return parts.scheme, parts.netloc


def _refused(reason: str) -> LongshoreError:
    return LongshoreError(Code.VALIDATION_FAILED, f"url: {reason}", fields={"url": reason})
