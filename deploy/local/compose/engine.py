"""A Docker Engine that runs containers as a machine of its own would: with bridges, a firewall and published ports."""

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
# A new network namespace has its loopback interface down; `$0` and what follows is the program.
WITH_LOOPBACK = ("unshare", "--mount", "--net", "sh", "-c", 'ip link set lo up && exec "$0" "$@"')


class ComposeEngine(DockerEngine):
    """It begins on the machine's network, without a bridge, so that builds reach the package registries.

    After `isolate` it has a network of its own, with bridges and its own firewall, that reaches nothing outside: what
    runs then needs nothing from the internet, and changes nothing on this machine.
    """

    # The kernel's own, where it has it: copies of every layer would need ten times the disk.
    storage: ClassVar[Sequence[str]] = ()

    # It asks its containers to end first, of which compose.yaml gives none more than a minute.
    stop_seconds: ClassVar[float] = 90.0

    def __init__(self, scratch: Scratch) -> None:
        super().__init__(scratch, name="compose")

    def isolate(self) -> None:
        """Start anew on another network of its own, and put this process into it, which then reaches published ports.

        There is no way back: whoever calls it reaches nothing else from then on. It may be called again.
        """
        self.stop()
        self.network, self.namespaces = (), WITH_LOOPBACK
        self.start()
        with Path(f"/proc/{self.pid}/ns/net").open() as namespace:
            library = ctypes.CDLL(None, use_errno=True)
            if library.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                raise LocalStackError(f"cannot enter the engine's network: {os.strerror(ctypes.get_errno())}")
