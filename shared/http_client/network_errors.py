"""The one place that translates exceptions of the HTTP client and of the system into Longshore's errors."""

import errno
import socket
import ssl

import aiohttp

from shared.errors.error import LongshoreError
from shared.http_client.bulk.dialer import ConnectTimeoutError
from shared.http_client.failures import Failure
from shared.http_client.request import Request
from shared.network.guard import Calling

# Exceptions that the HTTP client raises. ValueError: a header or an address that it refuses to send.
CLIENT_ERRORS = (aiohttp.ClientError, TimeoutError, OSError, ValueError)

# In this order: some of the client's classes are OSErrors or TimeoutErrors too.
_BY_TYPE: tuple[tuple[tuple[type[Exception], ...], tuple[Failure, str, str]], ...] = (
    (
        (aiohttp.ConnectionTimeoutError, ConnectTimeoutError),
        (Failure.UNREACHABLE, "cannot be reached", "it did not accept a connection in time"),
    ),
    ((TimeoutError,), (Failure.STALLED, "did not answer in time", "")),
    (
        (aiohttp.ClientConnectorDNSError, socket.gaierror),
        (Failure.UNREACHABLE, "cannot be reached", "its name cannot be resolved"),
    ),
    (
        (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError),
        (Failure.HOST_REFUSED, "may not be called", "it is not a plain host name or address"),
    ),
    ((aiohttp.ServerDisconnectedError,), (Failure.UNREACHABLE, "closed the connection", "")),
    ((aiohttp.ClientPayloadError,), (Failure.UNAVAILABLE, "broke off its answer", "")),
)
_BY_ERRNO: dict[int, tuple[Failure, str]] = {
    errno.ECONNREFUSED: (Failure.UNREACHABLE, "the connection was refused"),
    errno.ECONNRESET: (Failure.UNREACHABLE, "the connection was reset"),
    errno.EPIPE: (Failure.UNREACHABLE, "the connection was closed"),
    errno.EHOSTUNREACH: (Failure.UNREACHABLE, "there is no route to it"),
    errno.ENETUNREACH: (Failure.UNREACHABLE, "there is no route to its network"),
    errno.ETIMEDOUT: (Failure.STALLED, "it took no data for too long"),
}
# OpenSSL's verification results (x509_vfy.h).
_BY_VERIFY_CODE: dict[int, str] = {
    9: "the certificate is not yet valid",
    10: "the certificate has expired",
    18: "the certificate is self-signed",
    19: "the certificate's authority is not trusted",
    20: "the certificate's authority is not known",
    21: "the certificate's authority is not known",
    62: "the certificate is for another host name",
    64: "the certificate is for another address",
}


def translate_error(request: Request, host: str, error: BaseException, call: Calling | None = None) -> LongshoreError:
    """Return the error for an exception of the HTTP client, without the exception's text."""
    if call and call.refused:
        return request.failed(
            Failure.HOST_REFUSED, "may not be called", "its address is private, reserved or loopback", host=host
        )
    failure, problem, reason = _meaning(error)
    return request.failed(failure, problem, reason, host=host)


def _meaning(error: BaseException) -> tuple[Failure, str, str]:
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return Failure.TLS, "offers no trusted TLS connection", _tls_reason(error)
    for kinds, meaning in _BY_TYPE:
        if isinstance(error, kinds):
            return meaning
    if isinstance(error, OSError):
        failure, reason = _BY_ERRNO.get(error.errno or 0, (Failure.UNREACHABLE, "the connection failed"))
        return failure, "cannot be reached", reason
    if isinstance(error, aiohttp.ClientConnectionError):
        return Failure.UNREACHABLE, "lost the connection", ""
    return Failure.PROTOCOL, "does not answer as a registry does", "its response is not HTTP"


def _tls_reason(error: BaseException) -> str:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _BY_VERIFY_CODE.get(getattr(cause, "verify_code", 0), "the certificate is not valid")
    return "the TLS handshake failed"
