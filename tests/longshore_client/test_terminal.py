"""The parts of the output for terminals."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from longshore_client.import_details import Layer, LayersSummary
from longshore_client.terminal.figures import age, duration, part
from longshore_client.terminal.import_bars import RateMeter
from longshore_client.terminal.progress_text import choose_rows, layer_outcome
from longshore_client.terminal.safe_text import safe
from longshore_client.terminal.tables import Column, print_table


@pytest.mark.parametrize("text", ["\x1b[2J", "a\rb", "\x07", "\x9b2J", "\u202egnp", "one\ntwo"])
def test_foreign_text_has_no_control_characters(text: str) -> None:
    """Descriptions, references and registries' error messages are not trusted."""
    shown = safe(text)
    assert shown.isprintable()
    assert len(shown) == len(text)


def test_ordinary_text_is_unchanged() -> None:
    assert safe("  Größe → 3 MB ✔") == "  Größe → 3 MB ✔"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (3_599, "59 min 59 s"), (7_260, "2 h 01 min")],
)
def test_durations_have_their_two_largest_units(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_a_part_has_one_unit() -> None:
    assert part(9_600_000, 25_200_000) == "9.6/25.2 MB"
    assert part(600, 25_200_000) == "600 bytes/25.2 MB"


def test_ages_are_rounded_down() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    shown = [age(now - timedelta(seconds=seconds), now) for seconds in (-5, 59, 61, 7_199, 90_000)]
    assert shown == ["0 s ago", "59 s ago", "1 min ago", "1 h ago", "1 d ago"]


def test_a_rate_is_smoothed_and_starts_over_after_a_decrease() -> None:
    meter = RateMeter()
    for second, count in enumerate((0, 100, 200, 300)):
        meter.observe(count, float(second))
    assert meter.rate == pytest.approx(100)
    assert meter.remaining(50) == pytest.approx(0.5)
    meter.observe(1_300, 4.0)
    assert 100 < meter.rate < 500
    meter.observe(0, 5.0)
    assert (meter.rate, meter.remaining(50)) == (0, None)


def layer(letter: str, status: str, transfer: str | None = None) -> Layer:
    return Layer(digest=letter, status=status, progress=0, size=1, offset=0, transfer=transfer)


LAYERS = [
    layer("a", "completed", "mounted"),
    layer("b", "pending"),
    layer("c", "downloading"),
    layer("d", "completed", "copied"),
    layer("e", "downloading"),
]


def test_a_small_terminal_shows_the_layers_that_move() -> None:
    """In the image's order; the last line counts the others."""
    every = LayersSummary.of(LAYERS)
    rows = choose_rows(LAYERS, every, 4)
    assert [shown.digest for shown in rows.shown] == ["b", "c", "e"]
    assert rows.hidden == "and 2 done"
    assert choose_rows(LAYERS, every, 5).hidden == ""
    assert choose_rows(LAYERS, every, 2).hidden == "and 2 done, 2 to come"


def test_layers_that_the_api_did_not_send_are_counted() -> None:
    """Of an image with thousands of layers, the API sends a part and a summary."""
    many = replace(LayersSummary.of(LAYERS), total=20_000, completed=12_000)
    assert choose_rows(LAYERS, many, 5).hidden == "and 11999 done, 7997 to come"
    rows = choose_rows(LAYERS, many, 50)
    assert [shown.digest for shown in rows.shown] == ["a", "b", "c", "d", "e"]
    assert rows.hidden == "and 11998 done, 7997 to come"


def test_mounted_and_existing_layers_differ_from_copied_ones() -> None:
    transfers = ("copied", "mounted", "existing", None)
    assert [layer_outcome(layer("a", "completed", transfer)) for transfer in transfers] == [
        "copied",
        "mounted",
        "exists already",
        "done",
    ]


def printed(width: int, *, terminal: bool) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)
    columns = (Column(title="ID", no_wrap=True), Column(title="IMAGE"), Column(title="USER", min_width=60))
    print_table(console, columns, [("7", "a-rather-long/repository/in-the/target:1.0", "alice")])
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_narrow_terminal_folds_names_and_drops_columns() -> None:
    """Names are not cut off, so that a user can copy them."""
    lines = printed(30, terminal=True)
    assert max(map(len, lines)) <= 30
    assert "USER" not in lines[0]
    assert "".join(line[4:].strip() for line in lines[1:]) == "a-rather-long/repository/in-the/target:1.0"


def test_without_a_terminal_a_row_is_a_line_with_all_columns() -> None:
    header, row = printed(1_000, terminal=False)
    assert header.split() == ["ID", "IMAGE", "USER"]
    assert row.split() == ["7", "a-rather-long/repository/in-the/target:1.0", "alice"]
    assert row == row.rstrip()
