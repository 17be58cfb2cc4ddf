"""The ```console run blocks of a document: commands after `$ `, each followed by its output.

In the output, any number matches any number, a digest matches any digest, `…` any text, and a line that is only `…`
any lines. A command without output may print anything. It must succeed, unless `echo $?` follows.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```console run\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPT = "$ "
# Separates the outputs of two commands, with the status of the first.
_MARK = "--- end of the command, status "
_VARIABLE = re.compile(
    r"(?P<any>…)|(?P<digest>\b[0-9a-f]{12,64}\b)|(?P<time>\d+(?:\.\d+)? s\b)|(?P<number>\d+(?:\.\d+)?)|(?P<blank> +)"
)
_PATTERNS = {
    "any": ".*",
    "digest": "[0-9a-f]+",
    # Minutes on a busy machine.
    "time": r"(?:\d+(?:\.\d+)? s|\d+ min(?: \d+ s)?)",
    "number": r"\d+(?:\.\d+)?",
    "blank": " +",
}


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command with its documented output."""

    text: str
    printed: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a command."""

    command: Command
    printed: str
    status: int

    @property
    def as_documented(self) -> bool:
        if not self.command.printed:
            return True
        return re.fullmatch(_pattern(self.command.printed), _clean(self.printed)) is not None


def commands(document: str) -> list[Command]:
    """Return the commands of a document, in its order."""
    return [command for block in _BLOCK.findall(document) for command in _commands(block)]


def run(asked: list[Command], environment: Mapping[str, str], *, before: str = "", seconds: float) -> list[Outcome]:
    """Run the commands in one shell, as a reader of the document would."""
    script = "\n".join([before, *(f"{command.text}\n{_end()}" for command in asked)])
    done = subprocess.run(
        ["bash", "-c", script],
        env=environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    parts = re.findall(rf"(.*?){re.escape(_MARK)}(\d+)\n", done.stdout, re.DOTALL)
    assert len(parts) == len(asked), done.stdout
    return [
        Outcome(command=command, printed=printed, status=int(status))
        for command, (printed, status) in zip(asked, parts, strict=True)
    ]


def check(outcomes: list[Outcome]) -> None:
    """Assert that every command did what the document says; the failure lists all that did not."""
    following = [outcome.command.text for outcome in outcomes[1:]] + [""]
    wrong = []
    for outcome, after in zip(outcomes, following, strict=True):
        if not outcome.as_documented or (outcome.status != 0 and after != "echo $?"):
            actual = f"$ {outcome.command.text}\n{outcome.printed.rstrip()}\n--- status {outcome.status}"
            wrong.append(f"{actual}; documented output\n{outcome.command.printed}")
    assert not wrong, "\n\n".join(wrong)


def _commands(block: str) -> Iterator[Command]:
    lines = block.splitlines()
    while lines:
        first = lines.pop(0)
        assert first.startswith(_PROMPT), first
        text = [first.removeprefix(_PROMPT)]
        while text[-1].endswith("\\"):
            text.append(lines.pop(0))
        printed = []
        while lines and not lines[0].startswith(_PROMPT):
            printed.append(lines.pop(0))
        yield Command(text="\n".join(text), printed="\n".join(printed))


def _end() -> str:
    return f"status=$?; printf '\\n{_MARK}%d\\n' $status; (exit $status)"


def _pattern(printed: str) -> str:
    pattern = ""
    for line in _clean(printed).splitlines():
        pattern += r"(?:.*\n)*?" if line == "…" else _line_pattern(line) + r"\n"
    return pattern


def _line_pattern(line: str) -> str:
    pattern, at = "", 0
    for found in _VARIABLE.finditer(line):
        pattern += re.escape(line[at : found.start()]) + _PATTERNS[found.lastgroup or "any"]
        at = found.end()
    return pattern + re.escape(line[at:])


def _clean(printed: str) -> str:
    """Remove invisible parts: blanks at the ends of lines, and empty lines at the end."""
    return "\n".join(line.rstrip() for line in printed.rstrip().splitlines()) + "\n"
