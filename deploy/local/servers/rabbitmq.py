"""A private RabbitMQ server, with the management plugin, from Debian's package."""

from __future__ import annotations

import base64
import http.client
import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local.processes.scratch import LocalStackError, Process, Scratch, unprivileged, write
from deploy.local.processes.server import LOOPBACK, PROBE_SECONDS, Server, new_password

if TYPE_CHECKING:
    from collections.abc import Mapping

# Not Debian's wrapper in /usr/sbin, which refuses ordinary users and logs into /var.
PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
CONTROL = Path("/usr/lib/rabbitmq/bin/rabbitmqctl")
SYSTEM_USER = "rabbitmq"
OWNER = "longshore"

# The protocol header that a client sends first (AMQP 0-9-1, section 4.2.2), and the type of the answering frame.
AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
METHOD_FRAME = 1

# The share of the machine's memory above which RabbitMQ blocks publishers. Several stacks may run at once.
MEMORY_SHARE = 0.2

# The free disk space below which RabbitMQ blocks publishers. The default depends on the memory; 50 MB is RabbitMQ's
# lowest default, and enough for messages of a few hundred bytes.
DISK_FREE = "50MB"

# Erlang's schedulers spin while they wait for work, which takes processor time from other processes on a small machine.
NO_BUSY_WAIT = "+sbwt none +sbwtdcpu none +sbwtdio none"

# Seconds for a rabbitmqctl command, which starts its own Erlang machine.
CONTROL_SECONDS = 60.0


class RabbitMQ(Server):
    """RabbitMQ on loopback ports, with its own node, cookie and port mapper.

    `settings` are further lines of rabbitmq.conf, such as {"consumer_timeout": "60000"}. stop() is an orderly shutdown;
    kill() kills the Erlang machine.
    """

    start_seconds = 120.0
    stop_seconds = 30.0

    def __init__(
        self,
        scratch: Scratch,
        *,
        name: str = "rabbitmq",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(scratch, name)
        self.user = unprivileged(SYSTEM_USER)
        self.port, self.management_port = scratch.ports.reserve(), scratch.ports.reserve()
        self.distribution_port, self.mapper_port = scratch.ports.reserve(), scratch.ports.reserve()
        self.username, self.password = OWNER, new_password()
        self.settings = dict(settings or {})
        self.mapper: Process | None = None

    @property
    def amqp(self) -> str:
        """The amqp:// URL of the virtual host `/`."""
        return f"amqp://{self.username}:{self.password}@{LOOPBACK}:{self.port}/"

    @property
    def management(self) -> str:
        """The http:// URL of the console and its API, without the password."""
        return f"http://{LOOPBACK}:{self.management_port}"

    @property
    def node(self) -> str:
        """The Erlang node name."""
        return f"{self.name}-{self.scratch.folder.name}@localhost"

    @property
    def pid(self) -> int:
        """The process id of the Erlang machine; `process` is the shell that started it."""
        process = self._running()
        try:
            return int((self.home / "pid").read_text())
        except (FileNotFoundError, ValueError) as error:
            raise process.failure("has not written its process id") from error

    def prepare(self) -> None:
        """Write the configuration."""
        if not PROGRAM.exists():
            raise LocalStackError("RabbitMQ is missing: run `make setup`")
        self.home = self.scratch.make_folder(self.name, self.user)
        lines = "".join(f"{key} = {value}\n" for key, value in self._configuration().items())
        write(self.home / "rabbitmq.conf", lines, self.user)
        write(self.home / "enabled_plugins", "[rabbitmq_management].\n", self.user)
        write(self.home / "env.conf", "", self.user)

    def _configuration(self) -> dict[str, str]:
        return {
            "listeners.tcp.default": f"{LOOPBACK}:{self.port}",
            "management.tcp.ip": LOOPBACK,
            "management.tcp.port": str(self.management_port),
            "default_user": self.username,
            "default_pass": self.password,
            "default_user_tags.administrator": "true",
            "vm_memory_high_watermark.relative": str(MEMORY_SHARE),
            "disk_free_limit.absolute": DISK_FREE,
            "log.console": "true",
            "log.console.use_colors": "off",
            "log.file": "false",
        } | self.settings

    def environment(self) -> dict[str, str]:
        """Return the environment variables of the server and of rabbitmqctl."""
        return {
            "HOME": str(self.home),  # Erlang creates its cookie there.
            "ERL_EPMD_PORT": str(self.mapper_port),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            # An empty file instead of the machine's /etc/rabbitmq.
            "RABBITMQ_CONF_ENV_FILE": str(self.home / "env.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.home / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.home / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.home / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.home),
            "RABBITMQ_PID_FILE": str(self.home / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (f"{NO_BUSY_WAIT} -kernel inet_dist_use_interface {{127,0,0,1}}"),
        }

    def launch(self) -> Process:
        """Start the port mapper and the server. A port mapper that the server starts would outlive it."""
        if self.mapper is None or not self.mapper.alive:
            self.mapper = self._spawn(f"{self.name}-epmd", ["/usr/bin/epmd"])
        (self.home / "pid").unlink(missing_ok=True)
        return self._spawn(self.name, [PROGRAM])

    def _spawn(self, name: str, argv: list[str | Path]) -> Process:
        return self.scratch.spawn(
            name,
            argv,
            env=self.environment(),
            user=self.user,
            cwd=self.home,
            # The folder is removed: an orderly shutdown, which takes seconds, is not needed.
            stop_signal=signal.SIGKILL,
        )

    def probe(self) -> bool:
        """Request an AMQP greeting, and a page of the management API as the server's user."""
        return greets(self.port) and self._overview() == http.client.OK

    def _overview(self) -> int:
        login = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        connection = http.client.HTTPConnection(LOOPBACK, self.management_port, timeout=PROBE_SECONDS)
        try:
            connection.request("GET", "/api/overview", headers={"Authorization": f"Basic {login}"})
            return connection.getresponse().status
        except http.client.HTTPException:
            return 0
        finally:
            connection.close()

    def kill(self) -> None:
        """Kill the Erlang machine, and wait for the shell that started it."""
        process = self._running()
        os.kill(self.pid, signal.SIGKILL)
        process.wait(self.stop_seconds)

    def discard(self) -> None:
        """Kill the port mapper as well."""
        super().discard()
        if self.mapper is not None:
            self.mapper.kill()

    def control(self, *arguments: str) -> None:
        """Run a rabbitmqctl command, such as "stop_app"."""
        self.scratch.run(
            f"{self.name}-control",
            [CONTROL, *arguments],
            seconds=CONTROL_SECONDS,
            env=self.environment(),
            user=self.user,
            cwd=self.home,
        )


def greets(port: int) -> bool:
    """Return whether an AMQP 0-9-1 server answers on a loopback port."""
    with socket.create_connection((LOOPBACK, port), PROBE_SECONDS) as connection:
        connection.sendall(AMQP_HEADER)
        answer = connection.recv(1)
    return answer == bytes([METHOD_FRAME])
