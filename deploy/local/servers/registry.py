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

# The one that keeps an upload session whose request was cut; 2.8, and Harbor with it, loses those.
DISTRIBUTION_3 = GoProgram(
    name="distribution", package="github.com/distribution/distribution/v3/cmd/registry", version="v3.1.2"
)
# Version 3 looks for a collector of its traces otherwise, and complains about not finding one.
ENVIRONMENT = {"OTEL_TRACES_EXPORTER": "none"}

# bcrypt's least number of rounds, as a power of two: the registry hashes the password at every
# single request, and these passwords are random and live for minutes.
BCRYPT_COST = 4
BCRYPT_SALT = 22
BCRYPT_ALPHABET = "./" + string.ascii_letters + string.digits

SECRET_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class BasicAuth:
    """One user with a password, asked for at every request."""

    username: str = "puller"
    password: str = field(default_factory=new_password, repr=False)


@dataclass(frozen=True, kw_only=True)
class TokenAuth:
    """Bearer tokens of an issuer, as in distribution's token authentication.

    realm is the URL to get tokens at, service the audience they must have, issuer who must have
    signed them; certificates is a PEM file with the issuer's certificate or certificates.
    """

    realm: str
    service: str
    issuer: str
    certificates: Path


@dataclass(frozen=True, kw_only=True)
class Tls:
    """PEM files of the registry's own certificate and its key."""

    certificate: Path
    key: Path


class Registry(Server):
    """A registry on a loopback port; its blobs are plain files below `root`.

    Without `auth` anybody may read and write. `readonly` refuses writes: fill it
    first, then set it and restart(). `extra` is merged into the configuration file, section by section.
    `program` is another registry of the same family, such as DISTRIBUTION_3.path.
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
        """host:port, as it stands in an image reference."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def url(self) -> str:
        """http:// or https:// URL, without a slash at its end."""
        return f"{'https' if self.tls else 'http'}://{self.host}"

    @property
    def username(self) -> str | None:
        """The user of basic authentication, if it has that."""
        return self.auth.username if isinstance(self.auth, BasicAuth) else None

    @property
    def password(self) -> str | None:
        """That user's password."""
        return self.auth.password if isinstance(self.auth, BasicAuth) else None

    @property
    def ca_file(self) -> Path | None:
        """The certificate to trust over TLS: its own, which is self-signed unless a test says otherwise."""
        return self.tls.certificate if self.tls else None

    @property
    def root(self) -> Path:
        """The folder of its storage."""
        return self.home / "data"

    def blob_path(self, digest: str) -> Path:
        """Return the file that holds a blob, for tests that damage one."""
        algorithm, _, value = digest.partition(":")
        blobs = self.root / "docker/registry/v2/blobs"
        return blobs / algorithm / value[:2] / value / "data"

    def prepare(self) -> None:
        """Make the storage folder and the password file."""
        if not self.program.exists():
            raise LocalStackError(f"{self.program} is missing: run `make setup`")
        self.home = self.scratch.make_folder(self.name)
        self.root.mkdir()
        if isinstance(self.auth, BasicAuth):
            entry = f"{self.auth.username}:{bcrypt(self.auth.password)}\n"
            write(self.home / "htpasswd", entry)

    def launch(self) -> Process:
        """Write the configuration and start it. JSON is YAML, too."""
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
        """Ping /v2/, section "Determining Support" of the distribution spec; 401 is an answer."""
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
        # Whether its certificate is any good is for the test to find out.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(LOOPBACK, self.port, timeout=PROBE_SECONDS, context=context)


def bcrypt(password: str) -> str:
    """Hash a password the only way docker-registry accepts it.

    libcrypt is an essential package of Debian; Python's own crypt module is gone in 3.13.
    """
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    # The last of the 22 characters carries two bits only; a dot leaves the others clear.
    salt = "".join(secrets.choice(BCRYPT_ALPHABET) for _ in range(BCRYPT_SALT - 1)) + "."
    hashed = library.crypt(password.encode(), f"$2b${BCRYPT_COST:02}${salt}".encode())
    if not hashed or not hashed.startswith(b"$2b$"):
        raise LocalStackError("libcrypt cannot hash with bcrypt")
    return str(hashed.decode())
