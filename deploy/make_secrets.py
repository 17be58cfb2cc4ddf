"""Makes the passwords and keys of compose.yaml's services, where they are missing: none has a default.

Runs in a container of its own before all others, with one volume below /secrets for each who may read it: `postgres`,
`rabbitmq`, `services` (API and workers), `worker`, `grafana`. What is there stays as it is, so that every start may run
it. With `new-key` it puts another key in front of SECRET_KEYS, with `drop-old-keys` it keeps the first one alone.
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
# The folder of the bundled registry's images, which belongs to root while it is empty.
REGISTRY = Path("/registry")
DEFINITIONS = Path("/definitions.json")
# Whom the Dockerfile makes; the bundled registry runs as the same number.
SERVICE_USER = 10001
# Only the volume's own container sees it, under a user whose number only that image knows.
READABLE = 0o444

USER = "longshore"
VIRTUAL_HOST = "/"
# What the services declare begins with this; the user may touch nothing else.
OWN_NAMES = "^longshore"
PASSWORD_BYTES = 32
# RabbitMQ's `rabbit_password_hashing_sha256`: four random bytes, then SHA-256 of them and the password.
SALT_BYTES = 4


def main(arguments: list[str]) -> None:
    """Make what is missing, or change the keys."""
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
    """Write one file for each secret; what belongs together has one password."""
    password = once(root / "postgres/password", secrets.token_hex(PASSWORD_BYTES))
    once(root / "services/database_url", f"postgresql://{USER}:{password}@postgres:5432/{USER}")
    address = once(root / "services/amqp_url", f"amqp://{USER}:{secrets.token_hex(PASSWORD_BYTES)}@rabbitmq:5672/")
    once(root / "services/secret_keys", new_key())
    once(root / "grafana/password", secrets.token_hex(PASSWORD_BYTES))
    # Anew each time: the queues may differ in the next version.
    write(root / "rabbitmq/definitions.json", json.dumps(whole(definitions, password_of(address)), indent=1))


def once(path: Path, value: str) -> str:
    """Return the file's content, which is this value unless it is there already."""
    if not path.exists():
        write(path, value)
    return path.read_text().strip()


def write(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.write_text(f"{text}\n")
    new.chmod(READABLE)
    new.replace(path)


def whole(definitions: dict[str, Any], password: str, *, user: str = USER, host: str = VIRTUAL_HOST) -> dict[str, Any]:
    """Make of a virtual host's definitions a whole RabbitMQ's, with the services' user, who owns nothing else."""
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
    """Return the password in an address that was made here."""
    return address.rpartition("@")[0].rpartition(":")[2]


def new_key() -> str:
    """Return a Fernet key."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def change_keys(root: Path, change: Any) -> None:
    """Write other keys in the place of those that are there."""
    path = root / "services/secret_keys"
    write(path, ",".join(change(path.read_text().strip().split(","))))


if __name__ == "__main__":
    main(sys.argv[1:])
