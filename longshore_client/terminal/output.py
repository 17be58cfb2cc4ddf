"""Where things are printed: results on stdout, all else on stderr."""

import json
import sys
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from longshore_client.errors import ApiError, ClientError
from longshore_client.terminal.safe_text import safe

# A line that is not for a terminal is as long as it has to be. Columns.
_UNLIMITED = 10_000
# Its detail is what its fields say one by one.
_FIELDS_SAY_IT = "validation_failed"
# What the API advises to those who write programs, said to those who use the command.
_HINTS = {
    "unauthenticated": "Sign in with `longshore login`; an administrator makes tokens.",
    "token_expired": "Ask an administrator for a new token, then sign in with `longshore login`.",
    _FIELDS_SAY_IT: "",
}


def results() -> Console:
    """Return the console for what was asked for."""
    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=_UNLIMITED)


def messages() -> Console:
    """Return the console for progress, questions and complaints."""
    return Console(stderr=True, highlight=False)


def print_json(document: object) -> None:
    """Print JSON for programs; in ASCII, so that no terminal finds orders in it."""
    click.echo(json.dumps(document, indent=2))


def print_line(document: object) -> None:
    """Print JSON in one line, at once."""
    click.echo(json.dumps(document))
    sys.stdout.flush()


def note(text: str, *, style: str = "") -> None:
    """Tell a person something beside the result."""
    messages().print(Text(safe(text), style=style), soft_wrap=True)


def tell_error(error: ClientError) -> None:
    """Say what went wrong, what to do, and how the logs know it."""
    console = messages()
    for label, text in error_lines(error):
        style = "bold red" if label == "error:" else "dim"
        console.print(Text.assemble((f"{label:<7}", style), safe(text)), soft_wrap=True)


def error_lines(error: ClientError) -> list[tuple[str, str]]:
    """Return the lines of an error, each with its label."""
    lines = [("error:", error.message)]
    hint = error.hint
    if isinstance(error, ApiError):
        problem = error.problem
        lines = [("error:", problem.title)] if problem.code == _FIELDS_SAY_IT else lines
        hint = _HINTS.get(problem.code, hint)
        lines += [("", f"{field.field}: {field.message}" if field.field else field.message) for field in problem.fields]
        marks: tuple[Any, ...] = (problem.code, f"request {problem.request_id}" if problem.request_id else "")
        return [*lines, *([("hint:", hint)] if hint else []), ("", ", ".join(filter(None, marks)))]
    return [*lines, *([("hint:", hint)] if hint else [])]
