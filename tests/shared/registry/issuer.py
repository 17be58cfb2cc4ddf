"""A token service for docker-registry's token authentication: signs tokens for the accounts that it knows."""

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from tests.shared.certificates import self_signed

SERVICE = "test-registry"
ISSUER = "test-issuer"
# Seconds.
LIFETIME = 300
COORDINATE_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class TokenQuestion:
    """One request for a token."""

    account: str | None
    scopes: tuple[str, ...]
    service: str
    authorization: str | None


@dataclass
class Issuer:
    """Accounts may do everything; every other client may pull from `public/…`.

    `spoilt` tokens are signed for another audience, so that the registry refuses them.
    """

    accounts: dict[str, str] = field(default_factory=lambda: {"pusher": secrets.token_hex(8)})
    asked: list[TokenQuestion] = field(default_factory=list)
    spoilt: int = 0
    delay: float = 0.0

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self_signed(ISSUER, self._key)

    @contextmanager
    def running(self) -> Iterator["Issuer"]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = issuer.answer(self.path, self.headers.get("Authorization"))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
                """Log nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.port = server.server_port
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def realm(self) -> str:
        return f"http://{self.host}/token"

    def write_certificate(self, path: Path) -> Path:
        path.write_bytes(self._certificate.public_bytes(Encoding.PEM))
        return path

    def answer(self, target: str, authorization: str | None) -> tuple[int, bytes]:
        query = parse_qs(urlsplit(target).query)
        scopes = tuple(query.get("scope", []))
        account = self._account(authorization)
        self.asked.append(
            TokenQuestion(
                account=account,
                scopes=scopes,
                service=query.get("service", [""])[0],
                authorization=authorization,
            )
        )
        time.sleep(self.delay)
        if authorization and account is None:
            return 401, b'{"details": "incorrect username or password"}'
        return 200, json.dumps({"token": self._token(account, scopes), "expires_in": LIFETIME}).encode()

    def _account(self, authorization: str | None) -> str | None:
        if authorization is None:
            return None
        name, _, password = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        return name if self.accounts.get(name) == password else None

    def _token(self, account: str | None, scopes: tuple[str, ...]) -> str:
        now = int(time.time())
        self.spoilt -= 1
        claims = {
            "iss": ISSUER,
            "sub": account or "",
            "aud": "somebody else" if self.spoilt >= 0 else SERVICE,
            "exp": now + LIFETIME,
            "nbf": now - 5,
            "iat": now,
            "jti": secrets.token_hex(8),
            "access": [access for scope in scopes if (access := _granted(account, scope))["actions"]],
        }
        return self._signed(claims)

    def _signed(self, claims: dict[str, object]) -> str:
        certificate = base64.b64encode(self._certificate.public_bytes(Encoding.DER)).decode()
        header = {"typ": "JWT", "alg": "ES256", "x5c": [certificate]}
        content = ".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
        r, s = decode_dss_signature(self._key.sign(content.encode(), ec.ECDSA(SHA256())))
        signature = r.to_bytes(COORDINATE_BYTES, "big") + s.to_bytes(COORDINATE_BYTES, "big")
        return f"{content}.{_base64(signature)}"


def _granted(account: str | None, scope: str) -> dict[str, object]:
    kind, name, actions = scope.split(":")
    public = ["pull"] if name.startswith("public/") else []
    return {"type": kind, "name": name, "actions": actions.split(",") if account else public}


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
