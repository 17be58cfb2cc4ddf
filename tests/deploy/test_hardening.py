"""The checks of containers in `make test-deploy` also detect violations."""

import os
from pathlib import Path
from typing import Any

import pytest

from deploy import make_secrets
from deploy.local.compose.hardening import check_containers, read_secrets, restrictions
from deploy.local.processes.scratch import LocalStackError
from tests.deploy.test_compose import DEFINITIONS


def container(pid: int, **host: Any) -> dict[str, Any]:
    """Return the engine's description of a container that has no restrictions except those in `host`."""
    loose = {"Memory": 0, "ReadonlyRootfs": False, "LogConfig": {"Type": "json-file", "Config": {}}}
    return {
        "Name": "/loose",
        "State": {"Pid": pid},
        "Config": {"Image": "localhost/longshore/api:dev"},
        "HostConfig": loose | host,
    }


def test_an_ordinary_process_is_seen_to_be_free() -> None:
    """The test's own process has capabilities, a writable root and no limit."""
    held = restrictions(container(os.getpid()))
    assert not held["without capabilities"]
    assert not held["limited in memory"]
    assert not held["on a read-only root"]
    assert not held["limited in its log"]
    assert held["run by an ordinary user"] == (os.geteuid() != 0)
    with pytest.raises(LocalStackError, match="loose: not"):
        check_containers([container(os.getpid())])


def test_limits_are_seen() -> None:
    log = {"Type": "json-file", "Config": {"max-size": "10m"}}
    held = restrictions(container(os.getpid(), Memory=1, ReadonlyRootfs=True, LogConfig=log))
    assert held["limited in memory"]
    assert held["on a read-only root"]
    assert held["limited in its log"]


def test_every_made_secret_is_looked_for(tmp_path: Path) -> None:
    """The secret of an address is its password; that of RabbitMQ's definitions is the hash."""
    names = ("postgres", "rabbitmq", "services", "worker", "worker-urls", "grafana")
    for name in names:
        (tmp_path / name).mkdir()
    make_secrets.make_missing(tmp_path, DEFINITIONS)
    (tmp_path / "worker" / "token").write_text("lsh_made_by_the_job_later\n")
    for name in names:
        (tmp_path / f"longshore_secrets-{name}").mkdir()
        (tmp_path / name).rename(tmp_path / f"longshore_secrets-{name}" / "_data")
    found = {path.removeprefix("longshore_secrets-"): secret for path, secret in read_secrets(tmp_path).items()}
    assert found.keys() == {
        *("postgres/password", "grafana/password", "rabbitmq/definitions.json", "worker/token"),
        *("services/database_url", "services/worker_database_url", "services/amqp_url", "services/secret_keys"),
        *("worker-urls/database_url", "worker-urls/amqp_url"),
    }
    assert found["services/database_url"] == found["postgres/password"]
    assert found["worker-urls/database_url"] == found["services/worker_database_url"] != found["postgres/password"]
    assert not [secret for secret in found.values() if "://" in secret or "longshore" in secret]
