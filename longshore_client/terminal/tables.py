"""Prints tables: fitted to the terminal, or with every column for programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from longshore_client.terminal.safe_text import safe


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column. Terminals narrower than `min_width` columns do not show it; `no_wrap` keeps its cells in one line."""

    title: str
    justify: Literal["left", "right"] = "left"
    min_width: int = 0
    no_wrap: bool = False


def print_table(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of texts, without the columns that do not fit."""
    shown = [
        index for index, column in enumerate(columns) if not console.is_terminal or console.width >= column.min_width
    ]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for index in shown:
        column = columns[index]
        table.add_column(
            column.title,
            justify=column.justify,
            no_wrap=column.no_wrap,
            overflow="fold" if not column.no_wrap else "crop",
        )
    for row in rows:
        table.add_row(*(_cell(row[index]) for index in shown))
    _print(console, table)


def print_pairs(console: Console, pairs: Sequence[tuple[str, str]]) -> None:
    """Print a line for each name that has a value."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            table.add_row(name, _cell(value))
    _print(console, table)


def _print(console: Console, table: Table) -> None:
    """Print a table without trailing blanks."""
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        console.file.write(f"{line.rstrip()}\n")


_STYLES = {"ready": "green", "failed": "red", "importing": "yellow", "cancelled": "red", "running": "yellow"}


def _cell(text: str) -> Text:
    return Text(safe(text), style=_STYLES.get(text, ""))
