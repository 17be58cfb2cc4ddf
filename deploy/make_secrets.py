"""Generates the missing passwords and keys of compose.yaml's services: none has a default.

Runs in its own container before all others, with one volume below /secrets for each reader: `postgres`, `rabbitmq`,
`services` (the API and its commands), `worker` and `worker-urls` (workers), `grafana`. Existing secrets are kept, so
that every start may run it. `new-key` puts a new key in front of SECRET_KEYS; `drop-old-keys` keeps only the first key.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any

ROOT = Path("/secrets")
# The folder of the bundled registry's images, which belongs to root until it is used.
REGISTRY = Path("/registry")
DEFINITIONS = Path("/definitions.json")
# The user that the Dockerfile creates; the bundled registry runs under the same id.
SERVICE_USER = 10001
# Only the container of the volume sees the file, under a user id that only that image defines.
READABLE = 0o444

USER = "longshore"
# The database role of workers, which `migrate` creates.
WORKER_ROLE = "longshore_worker"
VIRTUAL_HOST = "/"
# The prefix of everything that the services declare; their user has no rights beyond it.
OWN_NAMES = "^longshore"
PASSWORD_BYTES = 32
# RabbitMQ's `rabbit_password_hashing_sha256`: a salt of four random bytes, then the SHA-256 of salt and password.
SALT_BYTES = 4


def main(arguments: list[str]) -> None:
    """Generate the missing secrets, or change the keys."""
    match arguments:
        case []:
            make_missing(ROOT, json.loads(DEFINITIONS.read_text()))
            for folder in (ROOT / "worker", REGISTRY):
                os.chown(folder, SERVICE_USER, SERVICE_USER)
        case ["new-key"]:
            change_keys(ROOT, lambda keys: [new_key(), *keys])
        case ["drop-old-keys"]:
            change_keys(ROOT, lambda keys: keys[:1])
        case _:
            sys.exit("make_secrets.py [new-key | drop-old-keys]")


def make_missing(root: Path, definitions: dict[str, Any]) -> None:
    """Write a file for each secret; a server and its clients share a password."""
    password = once(root / "postgres/password", secrets.token_hex(PASSWORD_BYTES))
    once(root / "services/database_url", f"postgresql://{USER}:{password}@postgres:5432/{USER}")
    address = once(root / "services/amqp_url", f"amqp://{USER}:{secrets.token_hex(PASSWORD_BYTES)}@rabbitmq:5672/")
    once(root / "services/secret_keys", new_key())
    worker_address = f"postgresql://{WORKER_ROLE}:{secrets.token_hex(PASSWORD_BYTES)}@postgres:5432/{USER}"
    # Written at every start: in a volume of an earlier version they are missing.
    write(root / "worker-urls/database_url", once(root / "services/worker_database_url", worker_address))
    write(root / "worker-urls/amqp_url", address)
    once(root / "grafana/password", secrets.token_hex(PASSWORD_BYTES))
    # Written at every start: the queues may differ in the next version.
    write(root / "rabbitmq/definitions.json", json.dumps(whole(definitions, password_of(address)), indent=1))


def once(path: Path, value: str) -> str:
    """Write the value unless the file exists; return the file's content."""
    if not path.exists():
        write(path, value)
    return path.read_text().strip()


def write(path: Path, text: str) -> None:
    """Write a file atomically."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.write_text(f"{text}\n")
    new.chmod(READABLE)
    new.replace(path)


def whole(definitions: dict[str, Any], password: str, *, user: str = USER, host: str = VIRTUAL_HOST) -> dict[str, Any]:
    """Extend a virtual host's definitions to complete ones, with the services' user and its rights."""
    parts = {kind: [entry | {"vhost": host} for entry in entries] for kind, entries in definitions.items()}
    account = {"name": user, "password_hash": hashed(password), "tags": ""}
    rights = dict.fromkeys(("configure", "write", "read"), OWN_NAMES)
    return parts | {
        "vhosts": [{"name": host}],
        "users": [account | {"hashing_algorithm": "rabbit_password_hashing_sha256"}],
        "permissions": [{"user": user, "vhost": host} | rights],
    }


def hashed(password: str) -> str:
    """Hash a password as RabbitMQ does ("Passwords", Computing a Password Hash)."""
    salt = secrets.token_bytes(SALT_BYTES)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def password_of(address: str) -> str:
    """Return the password of a generated address."""
    return address.rpartition("@")[0].rpartition(":")[2]


def new_key() -> str:
    """Return a new Fernet key."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def change_keys(root: Path, change: Any) -> None:
    """Replace the keys."""
    path = root / "services/secret_keys"
    write(path, ",".join(change(path.read_text().strip().split(","))))


if __name__ == "__main__":
    main(sys.argv[1:])
