"""A private Docker Engine: dockerd from Debian's docker.io, separate from the machine's network and its own engine."""

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

# The path in Debian's package, then in Docker's own packages.
PROGRAMS = (Path("/usr/sbin/dockerd"), Path("/usr/bin/dockerd"))


class DockerEngine(Server):
    """An engine on a socket in its own folder; its images are plain folders below `root`.

    It needs root. Containers run only with the host's network: the engine has no bridge, and does not change the
    firewall.
    """

    # It starts its own containerd first.
    start_seconds: ClassVar[float] = 60.0
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    # Its network options, and its own mount namespace: one of its mounts is never unmounted, and ends with the
    # namespace.
    network: Sequence[str] = ("--iptables=false", "--ip6tables=false", "--bridge=none")
    namespaces: Sequence[str] = ("unshare", "--mount")
    storage: ClassVar[Sequence[str]] = ("--storage-driver=vfs",)

    def __init__(self, scratch: Scratch, *, name: str = "docker") -> None:
        super().__init__(scratch, name)
        self.home = scratch.folder / name

    @property
    def socket(self) -> Path:
        """The path of its socket."""
        return self.home / "socket"

    @property
    def host(self) -> str:
        """The unix:// address for DOCKER_HOST."""
        return f"unix://{self.socket}"

    @property
    def root(self) -> Path:
        """The folder of the images and containers."""
        return self.home / "data"

    def prepare(self) -> None:
        """Create the folder."""
        if os.geteuid() != 0:
            raise LocalStackError("a Docker Engine needs root")
        self.scratch.make_folder(self.name)

    def launch(self) -> Process:
        """Start the engine, which starts its own containerd."""
        arguments: tuple[str | Path, ...] = (
            *(*self.network, *self.storage),
            *("--data-root", self.root, "--exec-root", self.home / "run", "--pidfile", self.home / "pid"),
            # Without this option the engine reads the machine's configuration.
            *("--config-file", self._configuration(), "--host", self.host),
        )
        return self.scratch.spawn(self.name, [*self.namespaces, program(), *arguments], cwd=self.home)

    def probe(self) -> bool:
        """Request /_ping."""
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
        """Stop the engine: if it is killed, its containerd keeps running."""
        self.stop()

    def _configuration(self) -> Path:
        path = self.home / "daemon.json"
        path.write_text("{}\n")
        return path


def program() -> Path:
    """Return the path of dockerd."""
    for path in PROGRAMS:
        if path.exists():
            return path
    raise LocalStackError("dockerd is missing: run `make setup`")
