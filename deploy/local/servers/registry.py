"""Private container registries: distribution 2.8 from Debian's package docker-registry, and 3 built with Go."""

from __future__ import annotations

import ctypes
import http.client
import json
import secrets
import ssl
import string
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local.go.program import GoProgram
from deploy.local.processes.scratch import LocalStackError, Process, Scratch, write
from deploy.local.processes.server import LOOPBACK, PROBE_SECONDS, Server, new_password

PROGRAM = Path("/usr/bin/docker-registry")

# Version 3 keeps the upload session of a cut request; 2.8, which Harbor uses, drops it.
DISTRIBUTION_3 = GoProgram(
    name="distribution", package="github.com/distribution/distribution/v3/cmd/registry", version="v3.1.2"
)
# Otherwise version 3 tries to reach a trace collector, and logs errors.
ENVIRONMENT = {"OTEL_TRACES_EXPORTER": "none"}

# bcrypt's lowest number of rounds, as a power of two: the registry hashes the password at every request, and these
# passwords are random and live for minutes.
BCRYPT_COST = 4
BCRYPT_SALT = 22
BCRYPT_ALPHABET = "./" + string.ascii_letters + string.digits

SECRET_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class BasicAuth:
    """Basic authentication with one user."""

    username: str = "puller"
    password: str = field(default_factory=new_password, repr=False)


@dataclass(frozen=True, kw_only=True)
class TokenAuth:
    """Bearer tokens of an issuer, as in distribution's token authentication.

    `realm` is the URL of the token endpoint, `service` the required audience, `issuer` the required issuer, and
    `certificates` a PEM file with the issuer's certificates.
    """

    realm: str
    service: str
    issuer: str
    certificates: Path


@dataclass(frozen=True, kw_only=True)
class Tls:
    """PEM files of the registry's certificate and its key."""

    certificate: Path
    key: Path


class Registry(Server):
    """A registry on a loopback port; its blobs are plain files below `root`.

    Without `auth` every client may read and write. `readonly` refuses writes: push images first, then set it and
    restart(). `extra` is merged into the configuration file, section by section. `program` is another registry of the
    same family, such as DISTRIBUTION_3.path.
    """

    def __init__(
        self,
        scratch: Scratch,
        *,
        name: str = "registry",
        auth: BasicAuth | TokenAuth | None = None,
        tls: Tls | None = None,
        readonly: bool = False,
        extra: dict[str, Any] | None = None,
        program: Path = PROGRAM,
    ) -> None:
        super().__init__(scratch, name)
        self.port = scratch.ports.reserve()
        self.auth = auth
        self.tls = tls
        self.readonly = readonly
        self.extra = extra or {}
        self.program = program
        self._secret = secrets.token_hex(SECRET_BYTES)

    @property
    def host(self) -> str:
        """host:port, as in an image reference."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def url(self) -> str:
        """The http:// or https:// URL without a trailing slash."""
        return f"{'https' if self.tls else 'http'}://{self.host}"

    @property
    def username(self) -> str | None:
        """The user of basic authentication, or None."""
        return self.auth.username if isinstance(self.auth, BasicAuth) else None

    @property
    def password(self) -> str | None:
        """The password of that user."""
        return self.auth.password if isinstance(self.auth, BasicAuth) else None

    @property
    def ca_file(self) -> Path | None:
        """The certificate that clients must trust, or None without TLS: the registry's own certificate."""
        return self.tls.certificate if self.tls else None

    @property
    def root(self) -> Path:
        """The folder of the storage."""
        return self.home / "data"

    def blob_path(self, digest: str) -> Path:
        """Return the file of a blob, for tests that damage it."""
        algorithm, _, value = digest.partition(":")
        blobs = self.root / "docker/registry/v2/blobs"
        return blobs / algorithm / value[:2] / value / "data"

    def prepare(self) -> None:
        """Create the storage folder and the password file."""
        if not self.program.exists():
            raise LocalStackError(f"{self.program} is missing: run `make setup`")
        self.home = self.scratch.make_folder(self.name)
        self.root.mkdir()
        if isinstance(self.auth, BasicAuth):
            entry = f"{self.auth.username}:{bcrypt(self.auth.password)}\n"
            write(self.home / "htpasswd", entry)

    def launch(self) -> Process:
        """Write the configuration and start the registry. JSON is also YAML."""
        configuration = write(self.home / "config.yml", json.dumps(self._configuration()))
        command: list[str | Path] = [self.program, "serve", configuration]
        return self.scratch.spawn(self.name, command, env=ENVIRONMENT, cwd=self.home)

    def _configuration(self) -> dict[str, Any]:
        configuration: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "info", "accesslog": {"disabled": False}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.root)},
                "delete": {"enabled": True},
                "maintenance": {"readonly": {"enabled": self.readonly}},
            },
            "http": {"addr": self.host, "secret": self._secret} | self._tls(),
        }
        if self.auth:
            configuration["auth"] = self._auth()
        for section, values in self.extra.items():
            configuration[section] = configuration.get(section, {}) | values
        return configuration

    def _tls(self) -> dict[str, Any]:
        if self.tls is None:
            return {}
        return {"tls": {"certificate": str(self.tls.certificate), "key": str(self.tls.key)}}

    def _auth(self) -> dict[str, Any]:
        if isinstance(self.auth, TokenAuth):
            return {
                "token": {
                    "realm": self.auth.realm,
                    "service": self.auth.service,
                    "issuer": self.auth.issuer,
                    "rootcertbundle": str(self.auth.certificates),
                }
            }
        return {"htpasswd": {"realm": self.name, "path": str(self.home / "htpasswd")}}

    def probe(self) -> bool:
        """Request /v2/ (distribution specification, "Determining Support"); 401 also counts as ready."""
        connection = self._connection()
        try:
            connection.request("GET", "/v2/")
            status = connection.getresponse().status
        except http.client.HTTPException:
            return False
        finally:
            connection.close()
        return status in {http.client.OK, http.client.UNAUTHORIZED}

    def _connection(self) -> http.client.HTTPConnection:
        if self.tls is None:
            return http.client.HTTPConnection(LOOPBACK, self.port, timeout=PROBE_SECONDS)
        # The probe accepts any certificate: tests check how clients validate it.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(LOOPBACK, self.port, timeout=PROBE_SECONDS, context=context)


def bcrypt(password: str) -> str:
    """Hash a password with bcrypt, the only form that docker-registry accepts.

    libcrypt is an essential package of Debian; Python 3.13 has no crypt module.
    """
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    # The last of the 22 characters carries only two bits; a dot leaves the others clear.
    salt = "".join(secrets.choice(BCRYPT_ALPHABET) for _ in range(BCRYPT_SALT - 1)) + "."
    hashed = library.crypt(password.encode(), f"$2b${BCRYPT_COST:02}${salt}".encode())
    if not hashed or not hashed.startswith(b"$2b$"):
        raise LocalStackError("libcrypt cannot hash with bcrypt")
    return str(hashed.decode())
