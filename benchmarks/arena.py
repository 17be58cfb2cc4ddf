"""The common environment of a comparison: one stack and two registries; the target is emptied before each run."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.access_log import Traffic, read_traffic
from benchmarks.longshore import Longshore
from benchmarks.places import Places
from benchmarks.processes import Usage, bytes_read, cpu_seconds, tree_cpu_seconds
from benchmarks.scenarios import Job, Scenario
from deploy.local.processes.scratch import BASE_VARIABLE, Scratch
from deploy.local.servers.certificates import issue_certificate
from deploy.local.stack import BasicAuth, Registry, Stack

# The folder of the registries' blobs: in memory, so that the disk does not influence the result.
MEMORY = Path("/dev/shm")
# Seconds to wait for the log: a registry writes the line of a request after its response.
LOG_DELAY = 0.05


class Contender(Protocol):
    """A tool that copies images from the source to the target."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def forget(self) -> None:
        """Delete what it remembers of the target from earlier runs."""
        ...

    def copy(self, places: Places, jobs: Sequence[Job], parallel: int) -> Usage:
        """Copy all images and return the resources used."""
        ...


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One run. `servers` are the CPU seconds of the servers meanwhile; `load` is the load average before the run."""

    contender: str
    wall: float
    cpu: float
    rss: int
    source: Traffic
    target: Traffic
    target_bytes_read: int
    servers: dict[str, float]
    load: float


class Arena:
    """A stack for one transport, with its registries."""

    def __init__(self, stack: Stack, places: Places, account: BasicAuth) -> None:
        """Copy between these registries; `account` is the source's, for scenarios that need one."""
        self._account = account
        self.stack = stack
        self.places = places
        self.longshore = Longshore(stack)
        self.jobs: list[Job] = []

    def set_up(self, scenario: Scenario, *, quick: bool) -> None:
        """Push the scenario's images to the source, and run the scenario's number of workers."""
        self.places.source.auth = self._account if scenario.account else None
        self._empty(self.places.source)
        self.jobs = scenario.make(quick=quick)
        remote = self.places.remote(self.places.source)
        for job in self.jobs:
            remote.push(job.repository, job.tag, job.image)
        running = [worker for worker in self.stack.workers if worker.alive]
        for worker in running[scenario.workers :]:
            worker.stop()
        for _ in range(scenario.workers - len(running)):
            self.stack.add_worker()

    def measure(self, contender: Contender, scenario: Scenario) -> Sample:
        """Let one contender copy the scenario's images to an empty target, or to one that has all of them."""
        self._empty(self.places.target)
        self.longshore.forget()
        contender.forget()
        if scenario.filled:
            self.longshore.copy(self.places, self.jobs, scenario.parallel)
        time.sleep(LOG_DELAY)
        sample = self._run(contender, scenario)
        self._check(contender)
        return sample

    def _run(self, contender: Contender, scenario: Scenario) -> Sample:
        source, target = self.places.source, self.places.target
        logs = {registry: _log_of(registry).stat().st_size for registry in (source, target)}
        load, read, servers = os.getloadavg()[0], bytes_read(target.pid), self._server_seconds()
        usage = contender.copy(self.places, self.jobs, scenario.parallel)
        after, read_after = self._server_seconds(), bytes_read(target.pid)
        time.sleep(LOG_DELAY)
        return Sample(
            contender=contender.name,
            wall=usage.wall,
            cpu=usage.cpu,
            rss=usage.rss,
            source=read_traffic(_log_of(source), logs[source]),
            target=read_traffic(_log_of(target), logs[target]),
            target_bytes_read=read_after - read,
            servers={name: after[name] - seconds for name, seconds in servers.items()},
            load=load,
        )

    def _server_seconds(self) -> dict[str, float]:
        stack = self.stack
        return {
            "source": cpu_seconds(self.places.source.pid),
            "target": cpu_seconds(self.places.target.pid),
            "postgres": tree_cpu_seconds(stack.postgres.pid),
            "rabbitmq": cpu_seconds(stack.rabbitmq.pid),
        }

    def _check(self, contender: Contender) -> None:
        """Check the digest of every tag. The registry itself refuses a manifest without its blobs."""
        remote = self.places.remote(self.places.target)
        for job in self.jobs:
            found = remote.manifest(self.places.target_repository(job), job.tag).digest
            if found != job.image.digest:
                raise RuntimeError(f"{contender.name} copied {job.image.digest} as {found}")

    def _empty(self, registry: Registry) -> None:
        """Delete the registry's content and its cache."""
        registry.stop()
        for entry in registry.root.iterdir():
            shutil.rmtree(entry)
        registry.start()


def _log_of(registry: Registry) -> Path:
    assert registry.process
    return registry.process.log


@contextmanager
def open_arena(transport: str, storage: Path | None) -> Iterator[Arena]:
    """Start a stack whose registries use `http` or `tls`, and store their blobs below `storage`, if given."""
    with Scratch() as scratch, _storage(storage) as blobs:
        stack = Stack(scratch, workers=0)
        target = stack.target
        account = stack.source.auth
        assert isinstance(target, Registry)  # It is a Registry without `harbor`.
        assert isinstance(account, BasicAuth)
        stack.source.prepare_once()  # It writes the password's file.
        for registry in (stack.source, target):
            registry.auth = None  # Passwords are not part of the measurement, except in scenarios with an account.
            _keep_in(registry, blobs)
        authority = _secure(stack, target) if transport == "tls" else None
        with stack:
            yield Arena(stack, Places(source=stack.source, target=target, authority=authority), account)


def _secure(stack: Stack, target: Registry) -> Path:
    """Configure TLS for both registries, and trust in their authority for the services; return its file."""
    authority, files = issue_certificate(stack.scratch.make_folder("certificates"))
    stack.source.tls = target.tls = files
    hosts = (stack.source.host, target.host)
    stack.api.settings |= {
        "TARGET_URL": target.url,
        "PLAIN_HTTP_HOSTS": "",
        "CA_FILES": ",".join(f"{host}={authority}" for host in hosts),
    }
    return authority


@contextmanager
def _storage(base: Path | None) -> Iterator[Scratch | None]:
    """Provide a second scratch folder, below another base than that of logs and databases."""
    if base is None:
        yield None
        return
    before = os.environ.get(BASE_VARIABLE)
    os.environ[BASE_VARIABLE] = str(base / f"longshore-{os.geteuid()}")
    with ExitStack() as stack:
        try:
            scratch = stack.enter_context(Scratch())
        finally:
            os.environ.pop(BASE_VARIABLE)
            os.environ.update({} if before is None else {BASE_VARIABLE: before})
        yield scratch


def _keep_in(registry: Registry, blobs: Scratch | None) -> None:
    """Move a registry's storage to another scratch folder."""
    if blobs is not None:
        registry.prepare_once()
        registry.root.rmdir()
        registry.root.symlink_to(blobs.make_folder(registry.name))
