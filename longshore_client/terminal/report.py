"""What became of an import, for a person."""

from rich.console import Console
from rich.text import Text

from longshore_client.commands.import_result import NOT_STARTED, STARTED, THERE, ImportResult
from longshore_client.errors import ApiError
from longshore_client.terminal.figures import short_digest
from longshore_client.terminal.safe_text import safe

_MARKS = {"ready": ("✔", "green"), THERE: ("✔", "green"), STARTED: ("→", "yellow"), NOT_STARTED: ("-", "dim")}
_BAD = ("✘", "red")


def tell_result(result: ImportResult, *, console: Console, how: str = "", prefix: str = "") -> None:
    """Print a line about the outcome, and below it what to do where it is a bad one."""
    mark, style = _MARKS.get(result.state, _BAD)
    told = (f" ({how})" if how else "", "dim")
    console.print(Text.assemble(prefix, (f"{mark} ", style), safe(_sentence(result)), told), soft_wrap=True)
    for label, text in _advice(result):
        console.print(Text.assemble((f"  {label} ", "dim"), safe(text)), soft_wrap=True)


def _sentence(result: ImportResult) -> str:
    """Name it as it was asked for; what to pull is a command's result, and stands on stdout."""
    if result.error:
        told = result.error.message
    elif result.state == "ready" and result.image:
        told = f"ready, sha256:{short_digest(result.image.digest)}"
    elif result.details:
        told = result.details.message
    else:
        told = result.started.message if result.started else NOT_STARTED
    return f"{result.source}: {told}"


def _advice(result: ImportResult) -> list[tuple[str, str]]:
    failure, error = result.failure, result.error
    if failure:
        again = f"longshore retry {result.started.image_id}" if result.started else ""
        told = [("hint:", failure.hint), ("code:", f"{failure.code}, {failure.side}"), ("again:", again)]
    elif isinstance(error, ApiError):
        told = [("hint:", error.hint), ("code:", f"{error.code}, request {error.request_id}")]
    else:
        told = [("hint:", error.hint if error else "")]
    return [(label, text) for label, text in told if text]
