"""Records docs/cli.cast: a short session with the command `longshore` and a separate stack.

`python -m tests.longshore_client.record_session docs/cli.cast`; `asciinema play docs/cli.cast` shows it. Its
picture is made by `npx svg-term-cli --in docs/cli.cast --out docs/cli.svg --window --width 100 --height 24`
(svg-term-cli 2.1.1).
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.stack import Remote, Scratch, Stack, synthetic_image
from tests.longshore_client.pty_terminal import CTRL_C, in_terminal

ROOT = Path(__file__).parents[2]
COLUMNS, LINES = 100, 24
MIB = 1024 * 1024
# Pauses between keys, and after a command. Seconds.
KEY_SECONDS = 0.04
LOOK_SECONDS = 1.5
# The command in the recording, and the one that runs: the recording machine has no installed command.
PROGRAM = "longshore"
COMMAND = (sys.executable, "-m", "longshore_client.cli")


@dataclass
class Recording:
    """An asciinema recording, version 2: a header, then each output with its time in seconds."""

    environment: dict[str, str]
    events: list[tuple[float, str]] = field(default_factory=list)
    now: float = 0.0

    def show(self, text: str) -> None:
        self.events.append((self.now, text))

    def type(self, text: str) -> None:
        for key in text:
            self.show(key)
            self.now += KEY_SECONDS
        self.show("\r\n")

    def run(self, *arguments: str, answers: Sequence[tuple[str, str]] = ()) -> None:
        """Run a command; type each answer when the output contains the text before it."""
        self.show("\x1b[1;32m$\x1b[0m ")
        self.type(" ".join((PROGRAM, *arguments)))
        with in_terminal([*COMMAND, *arguments], self.environment, columns=COLUMNS, lines=LINES) as terminal:
            begun = time.monotonic() - self.now

            def note(at: float, data: bytes) -> None:
                self.now = at - begun
                self.show(data.decode(errors="replace"))

            terminal.on_output = note
            for text, answer in answers:
                terminal.wait_for(text)
                terminal.type(answer)
            terminal.end()
        self.now += LOOK_SECONDS

    def save(self, path: Path) -> None:
        header = {"version": 2, "width": COLUMNS, "height": LINES, "env": {"TERM": "xterm-256color"}}
        lines = [json.dumps(header), *(json.dumps([round(at, 3), "o", text]) for at, text in self.events)]
        path.write_text("\n".join(lines) + "\n")


def session(recording: Recording, host: str) -> None:
    """Run the documented steps: doctor, plan, import, mount shared layers, detach, watch, list, delete."""
    recording.run("doctor")
    recording.run("import", f"{host}/demo/app:1.0", "--dry-run")
    recording.run("import", f"{host}/demo/app:1.0")
    recording.run("import", f"{host}/demo/app-next:1.0", answers=[("/s, ", CTRL_C)])
    recording.run("watch", "2")
    recording.run("images")
    recording.run("delete", "app:1.0", answers=[("[y/N]: ", "y\n")])


def main() -> None:
    """Start the stack, record the session, and save it."""
    with tempfile.TemporaryDirectory() as home, Scratch() as scratch, Stack(scratch, harbor=True) as stack:
        source = Remote.of(stack.source)
        source.push(
            "demo/app", "1.0", synthetic_image("recorded", [90 * MIB, 260 * MIB, 5000], platforms=("linux/amd64",))
        )
        next_one = synthetic_image("recorded", [90 * MIB, 260 * MIB, 400 * MIB], platforms=("linux/amd64",))
        source.push("demo/app-next", "1.0", next_one)
        account = {"username": stack.source.username, "password": stack.source.password}
        access = {"subjects": ["everybody"], "repositories": ["**"], "targets": ["**"]}
        registry = {"name": "demo", "url": stack.source.url, "access": access, **account}
        stack.api.request("POST", "/api/v1/image-registries", stack.admin_token, registry)
        recording = Recording(
            {
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "XDG_CONFIG_HOME": home,
                "LONGSHORE_URL": stack.api.url,
                "LONGSHORE_TOKEN": stack.user_token,
            }
        )
        session(recording, stack.source.host)
        recording.save(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
