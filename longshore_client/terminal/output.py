"""Prints results to stdout, and messages and errors to stderr."""

import json
import sys

import click
from rich.console import Console
from rich.text import Text

from longshore_client.errors import ApiError, ClientError
from longshore_client.terminal.safe_text import safe

# Width of output that does not go to a terminal: no line is wrapped. Columns.
_UNLIMITED = 10_000
# The detail of this error repeats its fields, which are printed one by one.
_VALIDATION_FAILED = "validation_failed"
# The API's hints are for programs; these are for users of the command.
_HINTS = {
    "unauthenticated": "Sign in with `longshore login`; the web console creates tokens, and so do administrators.",
    "token_expired": "Create a new token in the web console, or ask an administrator for one; then `longshore login`.",
    "source_not_allowed": (
        "`longshore rules list` shows what you may import. Ask an administrator for a rule that allows the source."
    ),
    "target_not_allowed": (
        "Omit --target, or choose one that a rule allows: `longshore rules list` shows them. An administrator can add a"
        " rule, or create the project."
    ),
    "limit_reached": (
        "`longshore rules list` shows what is left of your limits. Wait until it renews or until open imports end, or"
        " ask an administrator for a higher limit."
    ),
    "import_limit_reached": "`longshore images --not-ready` shows your open imports; try again when some have ended.",
    "target_tag_foreign": (
        "Choose another --target. --force replaces the tag if a rule allows that; admins need --force alone."
    ),
    "rule_not_found": "`longshore rules list` lists them.",
    "token_not_found": "`longshore tokens list` lists yours.",
    "token_limit_reached": "`longshore tokens list` shows those that you no longer use; `longshore tokens revoke ID`.",
    _VALIDATION_FAILED: "",
}


def results() -> Console:
    """Return the console for results."""
    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=_UNLIMITED)


def messages() -> Console:
    """Return the console for progress, messages and errors."""
    return Console(stderr=True, highlight=False)


def print_json(document: object) -> None:
    """Print JSON for programs; ASCII alone, so that it contains no control sequence for a terminal."""
    click.echo(json.dumps(document, indent=2))


def print_json_line(document: object) -> None:
    """Print JSON in one line, without buffering."""
    click.echo(json.dumps(document))
    sys.stdout.flush()


def note(text: str, *, style: str = "") -> None:
    """Print a message to stderr."""
    messages().print(Text(safe(text), style=style), soft_wrap=True)


def retry_message(error: ClientError) -> str:
    """Return the message before a retry."""
    return f"{error.message} Trying again."


def print_error(error: ClientError) -> None:
    """Print an error with its hint, its code, and the request's id in the API's logs."""
    console = messages()
    for label, text in _error_lines(error):
        style = "bold red" if label == "error:" else "dim"
        console.print(Text.assemble((f"{label:<7}", style), safe(text)), soft_wrap=True)


def hint_for(error: ClientError) -> str:
    """Return the hint for users of the command."""
    return hint_text(error.code, error.hint) if isinstance(error, ApiError) else error.hint


def hint_text(code: str, hint: str) -> str:
    """Return the hint of an error code for users of the command; `hint` is the API's."""
    return _HINTS.get(code, hint)


def _error_lines(error: ClientError) -> list[tuple[str, str]]:
    """Return the lines of an error, each with its label."""
    hint = [("hint:", hint_for(error))] if hint_for(error) else []
    if not isinstance(error, ApiError):
        return [("error:", error.message), *hint]
    problem = error.problem
    message = problem.title if problem.code == _VALIDATION_FAILED else error.message
    failing = [("", f"{field.field}: {field.message}" if field.field else field.message) for field in problem.fields]
    identifiers = [problem.code, f"request {problem.request_id}" if problem.request_id else ""]
    return [("error:", message), *failing, *hint, ("", ", ".join(filter(None, identifiers)))]
