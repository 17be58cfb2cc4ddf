"""Tables: as wide as the terminal, or plain columns for programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from longshore_client.terminal.safe_text import safe


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column; `least` is the terminal's width from which on there is room for it, `whole` that it is never cut."""

    title: str
    justify: Literal["left", "right"] = "left"
    least: int = 0
    whole: bool = False


def print_table(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of texts, without the columns that there is no room for."""
    shown = [index for index, column in enumerate(columns) if not console.is_terminal or console.width >= column.least]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for index in shown:
        column = columns[index]
        table.add_column(
            column.title, justify=column.justify, no_wrap=column.whole, overflow="fold" if not column.whole else "crop"
        )
    for row in rows:
        table.add_row(*(_cell(row[index]) for index in shown))
    _print(console, table)


def print_pairs(console: Console, pairs: Sequence[tuple[str, str]]) -> None:
    """Print names with their values, one a line, without those that have none."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            table.add_row(name, _cell(value))
    _print(console, table)


def _print(console: Console, table: Table) -> None:
    """Print it without the blanks that fill its last column up."""
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        console.file.write(f"{line.rstrip()}\n")


_STYLES = {"ready": "green", "failed": "red", "importing": "yellow", "cancelled": "red", "running": "yellow"}


def _cell(text: str) -> Text:
    return Text(safe(text), style=_STYLES.get(text, ""))
