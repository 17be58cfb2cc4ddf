"""A private Docker Engine: dockerd from Debian's docker.io, touching neither the machine's network nor its engine."""

from __future__ import annotations

import http.client
import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local.processes.scratch import LocalStackError, Process, Scratch
from deploy.local.processes.server import PROBE_SECONDS, Server

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import ClassVar

# Debian's package has it in the first place, Docker's own in the second.
PROGRAMS = (Path("/usr/sbin/dockerd"), Path("/usr/bin/dockerd"))


class DockerEngine(Server):
    """An engine on a socket in its own folder; its images are plain folders below `root`.

    It needs root. Containers can run with the host's network only: it has no bridge, and leaves the firewall alone.
    """

    # It starts a containerd of its own first.
    start_seconds: ClassVar[float] = 60.0
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    # What it is told about the network, and what it is kept away from by namespaces of its own: its mounts, one of
    # which it never takes back, end with theirs.
    network: Sequence[str] = ("--iptables=false", "--ip6tables=false", "--bridge=none")
    namespaces: Sequence[str] = ("unshare", "--mount")
    storage: ClassVar[Sequence[str]] = ("--storage-driver=vfs",)

    def __init__(self, scratch: Scratch, *, name: str = "docker") -> None:
        super().__init__(scratch, name)
        self.home = scratch.folder / name

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.home / "socket"

    @property
    def host(self) -> str:
        """unix:// address, as DOCKER_HOST takes it."""
        return f"unix://{self.socket}"

    @property
    def root(self) -> Path:
        """The folder of its images and containers."""
        return self.home / "data"

    def prepare(self) -> None:
        """Make its folder."""
        if os.geteuid() != 0:
            raise LocalStackError("a Docker Engine needs root")
        self.scratch.make_folder(self.name)

    def launch(self) -> Process:
        """Start it, and with it a containerd of its own."""
        arguments: tuple[str | Path, ...] = (
            *(*self.network, *self.storage),
            *("--data-root", self.root, "--exec-root", self.home / "run", "--pidfile", self.home / "pid"),
            # Without one it would read the machine's own.
            *("--config-file", self._configuration(), "--host", self.host),
        )
        return self.scratch.spawn(self.name, [*self.namespaces, program(), *arguments], cwd=self.home)

    def probe(self) -> bool:
        """Ask /_ping."""
        connection = http.client.HTTPConnection("localhost", timeout=PROBE_SECONDS)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(PROBE_SECONDS)
        try:
            connection.sock.connect(str(self.socket))
            connection.request("GET", "/_ping")
            return connection.getresponse().status == http.client.OK
        except http.client.HTTPException:
            return False
        finally:
            connection.close()

    def discard(self) -> None:
        """Stop it: killed, it would leave its containerd behind."""
        self.stop()

    def _configuration(self) -> Path:
        path = self.home / "daemon.json"
        path.write_text("{}\n")
        return path


def program() -> Path:
    """Return dockerd's path."""
    for path in PROGRAMS:
        if path.exists():
            return path
    raise LocalStackError("dockerd is missing: run `make setup`")
