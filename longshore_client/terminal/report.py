"""Prints the result of an import."""

from rich.console import Console
from rich.text import Text

from longshore_client.errors import ApiError
from longshore_client.import_result import ALREADY_THERE, NOT_STARTED, STARTED, ImportResult
from longshore_client.terminal.figures import short_digest
from longshore_client.terminal.output import hint_for, hint_text
from longshore_client.terminal.safe_text import safe

_MARKS = {
    "ready": ("✔", "green"),
    ALREADY_THERE: ("✔", "green"),
    STARTED: ("→", "yellow"),
    NOT_STARTED: ("-", "dim"),
}
_FAILURE = ("✘", "red")


def print_result(result: ImportResult, *, console: Console, remark: str = "", prefix: str = "") -> None:
    """Print a line with the outcome; below it, for a failure, the hint and the error's code."""
    mark, style = _MARKS.get(result.state, _FAILURE)
    appendix = (f" ({remark})" if remark else "", "dim")
    console.print(Text.assemble(prefix, (f"{mark} ", style), safe(_sentence(result)), appendix), soft_wrap=True)
    for label, text in _advice(result):
        console.print(Text.assemble((f"  {label} ", "dim"), safe(text)), soft_wrap=True)


def _sentence(result: ImportResult) -> str:
    """Name the import by its source: the reference to pull is the command's result, and goes to stdout."""
    if result.error:
        outcome = result.error.message
    elif result.state == "ready" and result.image:
        outcome = "ready" if result.image.content_hidden else f"ready, sha256:{short_digest(result.image.digest)}"
    elif result.details:
        outcome = result.details.message
    else:
        outcome = result.started.message if result.started else NOT_STARTED
    return f"{result.source}: {outcome}"


def _advice(result: ImportResult) -> list[tuple[str, str]]:
    failure, error = result.failure, result.error
    if failure:
        again = f"longshore retry {result.started.image_id}" if result.started else ""
        lines = [
            ("hint:", hint_text(failure.code, failure.hint)),
            ("code:", f"{failure.code}, {failure.side}"),
            ("again:", again),
        ]
    elif isinstance(error, ApiError):
        lines = [("hint:", hint_for(error)), ("code:", f"{error.code}, request {error.request_id}")]
    else:
        lines = [("hint:", hint_for(error) if error else "")]
    return [(label, text) for label, text in lines if text]
