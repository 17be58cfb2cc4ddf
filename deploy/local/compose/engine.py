"""A Docker Engine that runs containers as on a separate machine: with bridges, a firewall and published ports."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local.processes.scratch import LocalStackError, Scratch
from deploy.local.servers.docker_engine import DockerEngine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import ClassVar

# setns(2).
CLONE_NEWNET = 0x40000000
# The loopback interface of a new network namespace is down. `$0` and `$@` are the program and its arguments.
WITH_LOOPBACK = ("unshare", "--mount", "--net", "sh", "-c", 'ip link set lo up && exec "$0" "$@"')


class ComposeEngine(DockerEngine):
    """A Docker Engine that starts on the machine's network, without a bridge, so that builds reach package registries.

    After `isolate` it has a network of its own, with bridges and a firewall, that reaches nothing outside. Its
    containers then need no internet access, and change nothing on this machine.
    """

    # The kernel's overlay file system, if available: vfs copies every layer, which needs ten times the disk space.
    storage: ClassVar[Sequence[str]] = ()

    # The engine stops its containers first; compose.yaml gives each at most a minute.
    stop_seconds: ClassVar[float] = 90.0

    def __init__(self, scratch: Scratch) -> None:
        super().__init__(scratch, name="compose")

    def isolate(self) -> None:
        """Restart the engine on a network of its own, and move this process into it, where it reaches published ports.

        This process cannot leave that network again. The method may be called repeatedly.
        """
        self.stop()
        self.network, self.namespaces = (), WITH_LOOPBACK
        self.start()
        with Path(f"/proc/{self.pid}/ns/net").open() as namespace:
            library = ctypes.CDLL(None, use_errno=True)
            if library.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                raise LocalStackError(f"cannot enter the engine's network: {os.strerror(ctypes.get_errno())}")
