"""Following one import: bars at a terminal, lines elsewhere, and Ctrl-C; the worker is the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from shared.messages.progress_report import ReportedState
from shared.model.progress import Transfer
from tests.api_service.api import Api, until
from tests.api_service.conftest import Source
from tests.longshore_client.conftest import COMMAND, Cli
from tests.longshore_client.driven_worker import MEGABYTE, DrivenWorker, arrived, moving
from tests.longshore_client.pty_terminal import CTRL_C, Terminal, in_terminal

REPOSITORY = "bars/app"
SHOW_CURSOR = "\x1b[?25h"


@dataclass
class Seat:
    """A person at a terminal; the API runs on meanwhile."""

    terminal: Terminal

    async def wait_for(self, text: str) -> str:
        return await asyncio.to_thread(self.terminal.wait_for, text)

    async def end(self) -> tuple[int, str]:
        """Return the exit status, and what came since the last wait."""
        status = await asyncio.to_thread(self.terminal.end)
        return status, self.terminal.rest()

    def type(self, text: str) -> None:
        self.terminal.type(text)


@asynccontextmanager
async def seated(cli: Cli, *arguments: object, **size: int) -> AsyncIterator[Seat]:
    with in_terminal([*COMMAND, *map(str, arguments)], cli.environment, **size) as terminal:
        yield Seat(terminal)


@pytest.fixture
def reference(source: Source) -> str:
    source.push(REPOSITORY)
    return f"{source.host}/{REPOSITORY}:1.0"


async def state(api: Api) -> str:
    return str(await api.value("SELECT state FROM imports ORDER BY id DESC LIMIT 1"))


async def test_a_terminal_shows_a_bar_for_each_layer(api: Api, cli: Cli, reference: str) -> None:
    """With bytes, rate and time left; mounted and existing layers are told from copied ones."""
    async with seated(cli, "import", reference) as seat:
        await seat.wait_for("Waiting for a worker.")
        worker = await DrivenWorker(api).take(REPOSITORY)
        size = 20 * MEGABYTE
        await worker.report(a=moving(size, 0), b=arrived(500, Transfer.MOUNTED), c=arrived(900, Transfer.EXISTING))
        await seat.wait_for("mounted, 500 bytes")
        await seat.wait_for("exists already, 900 bytes")
        for megabytes in (4, 8):
            await asyncio.sleep(0.5)
            await worker.report(a=moving(size, megabytes * MEGABYTE))
        line = await seat.wait_for("8.0/20.0 MB, ")
        assert "━" in line
        assert "MB/s, " in await seat.wait_for(" s")
        assert await seat.wait_for("40 %, 8.0/20.0 MB")
        await worker.report(a=arrived(size))
        await worker.ready()
        status, rest = await seat.end()
    assert status == 0
    assert SHOW_CURSOR in rest
    assert "copied, 20.0 MB" in rest
    assert rest.rstrip().endswith(f"/{REPOSITORY}:1.0")


async def test_an_image_with_many_layers_fits_a_small_terminal(api: Api, cli: Cli, reference: str) -> None:
    """What moves is shown, the rest is counted; no line is longer than the terminal is wide."""
    async with seated(cli, "import", reference, columns=48, lines=12) as seat:
        await seat.wait_for("Waiting for a worker.")
        worker = await DrivenWorker(api).take(REPOSITORY)
        layers = {letter: arrived(1000) for letter in "0123456789"} | {"a": moving(MEGABYTE, 500_000)}
        await worker.report(ReportedState.RUNNING, **layers, b=moving(MEGABYTE, 0))
        shown = await seat.wait_for("and 6 done")
        await seat.wait_for("Copying.")
        await worker.ready()
        assert (await seat.end())[0] == 0
    assert shown.count("copied") == 4


async def test_ctrl_c_leaves_the_import_alone(api: Api, cli: Cli, reference: str) -> None:
    async with seated(cli, "import", reference) as seat:
        await seat.wait_for("Waiting for a worker.")
        seat.type(CTRL_C)
        status, rest = await seat.end()
    assert status == 130
    assert SHOW_CURSOR in rest
    assert "Watch it: longshore watch 1" in rest
    assert await state(api) == "queued"


@pytest.mark.parametrize("command", ["import", "watch"])
async def test_ctrl_c_cancels_where_that_was_asked_for(api: Api, cli: Cli, reference: str, command: str) -> None:
    if command == "watch":
        await cli.run("import", "--no-wait", reference)
    async with seated(cli, command, "--cancel-on-interrupt", reference if command == "import" else 1) as seat:
        await seat.wait_for("Waiting for a worker.")
        seat.type(CTRL_C)
        status, rest = await seat.end()
    assert (status, await state(api)) == (130, "cancelled")
    assert f"{reference}: The import was cancelled." in rest


async def test_an_import_that_writes_its_tag_is_waited_for(api: Api, cli: Cli, reference: str) -> None:
    """It cannot be cancelled any more, and ends in moments."""
    async with seated(cli, "import", "--cancel-on-interrupt", reference) as seat:
        worker = await DrivenWorker(api).take(REPOSITORY)
        await worker.report(ReportedState.TAGGING, a=arrived(500))
        await seat.wait_for("the tag is being written.")
        seat.type(CTRL_C)
        await asyncio.sleep(0.5)
        await worker.ready()
        status, rest = await seat.end()
    assert (status, await state(api)) == (130, "ready")
    assert "ready, sha256:ffffffffffff" in rest


async def test_a_second_ctrl_c_ends_at_once(api: Api, cli: Cli, reference: str) -> None:
    """Also while the first one waits for an answer that does not come."""
    async with seated(cli, "import", "--cancel-on-interrupt", reference) as seat:
        worker = await DrivenWorker(api).take(REPOSITORY)
        await worker.report(ReportedState.TAGGING, a=arrived(500))
        await seat.wait_for("the tag is being written.")
        seat.type(CTRL_C)
        await seat.wait_for(SHOW_CURSOR)
        await asyncio.sleep(0.2)
        seat.type(CTRL_C)
        async with asyncio.timeout(5):
            status, rest = await seat.end()
    assert (status, SHOW_CURSOR in rest) == (130, True)
    assert await state(api) == "running"


async def test_without_a_terminal_there_are_plain_lines(api: Api, cli: Cli, reference: str) -> None:
    """For logs: no line is ever taken back, and none is about nothing."""
    running = asyncio.create_task(cli.run("import", reference))
    worker = await DrivenWorker(api).take(REPOSITORY)
    for offset in (100_000, 550_000):
        await worker.report(a=moving(MEGABYTE, offset), b=arrived(500, Transfer.MOUNTED))
        await asyncio.sleep(1)
    await worker.report(a=arrived(MEGABYTE))
    await worker.ready()
    done = await running
    assert done.status == 0
    assert "\x1b" not in done.err + done.out
    lines = done.err.splitlines()
    assert lines[0] == f"{reference}, image 1"
    assert "  bbbbbbbbbbbb  mounted, 500 bytes" in lines
    assert any(line.startswith("55 %, 550.5 kB/1.0 MB") for line in lines)
    assert len(lines) == len(set(lines))
    assert done.out.count("\n") == 1


@pytest.mark.parametrize("setting", [{"TERM": "dumb"}, {"NO_COLOR": "1"}])
async def test_terminals_that_want_less_get_less(api: Api, cli: Cli, reference: str, setting: dict[str, str]) -> None:
    """TERM=dumb: lines; NO_COLOR (no-color.org): bars without colours."""
    plain = Cli(home=cli.home, settings={**cli.settings, **setting})
    async with seated(plain, "import", reference) as seat:
        await seat.wait_for("Waiting for a worker.")
        worker = await DrivenWorker(api).take(REPOSITORY)
        await worker.report(a=arrived(MEGABYTE))
        await seat.wait_for("copied, 1.0 MB")
        await worker.ready()
        status, _ = await seat.end()
        shown = seat.terminal.output.decode()
    assert status == 0
    if "TERM" in setting:
        assert "\x1b" not in shown
    else:
        assert "\x1b[3" not in shown


async def test_several_are_followed_at_once(api: Api, cli: Cli, source: Source) -> None:
    """One bar for all and one for each that moves; what fails does not touch the others."""
    names = [f"many/{letter}" for letter in "abc"]
    for name in names:
        source.push(name)
    listed = cli.home / "list.txt"
    listed.write_text("# all of them\n\n" + "".join(f"{source.host}/{name}:1.0\n" for name in [*names, "many/none"]))
    async with seated(cli, "import", "-f", listed) as seat:
        await seat.wait_for("source_not_found, request ")
        first, second, third = [await DrivenWorker(api).take(name) for name in names]
        await first.report(a=moving(20 * MEGABYTE, 5 * MEGABYTE))
        await seat.wait_for("25 %, 5.0/20.0 MB")
        await seat.wait_for("1/4 images")
        await first.ready()
        await second.ready("e")
        await third.fail("blob_not_found", "Gone.")
        status, rest = await seat.end()
    assert status == 1
    assert "many/c:1.0: A layer is missing at the source: Gone." in rest
    assert "longshore retry " in rest
    assert "4 images: 2 ready, 1 failed, 1 refused, 6.0 MB" in rest


async def test_a_list_without_a_terminal_is_lines_and_references(api: Api, cli: Cli, source: Source) -> None:
    """A target may stand behind a source; with --json, one array tells it all."""
    source.push("list/a")
    listed = f"{source.host}/list/a:1.0  team/chosen:7  # with a target\n{source.host}/list/none:1.0"
    running = asyncio.create_task(cli.run("import", "-f", "-", stdin=listed))
    await (await DrivenWorker(api).take("list/a")).ready()
    done = await running
    assert (done.status, done.out) == (1, "harbor.example.com/team/chosen:7\n")
    assert f"[1/2] ✘ {source.host}/list/none:1.0: " in done.err
    assert f"[2/2] ✔ {source.host}/list/a:1.0: ready" in done.err


async def test_a_list_can_be_left_alone_and_cancelled(api: Api, cli: Cli, source: Source) -> None:
    names = [f"stop/{letter}" for letter in "ab"]
    for name in names:
        source.push(name)
    sources = [f"{source.host}/{name}:1.0" for name in names]

    async def all_queued() -> bool:
        return bool(await api.value("SELECT count(*) = 2 FROM imports WHERE state = 'queued'"))

    async def interrupted(*options: str) -> str:
        async with seated(cli, "import", *options, *sources) as seat:
            await until(all_queued)
            await seat.wait_for("0/2 images")
            await asyncio.sleep(0.5)
            seat.type(CTRL_C)
            status, rest = await seat.end()
        assert status == 130
        return rest

    assert "imports that have started go on" in await interrupted()
    assert await api.value("SELECT count(*) FROM imports WHERE state = 'queued'") == 2
    assert "2 images: 2 cancelled" in await interrupted("--cancel-on-interrupt")
    assert await api.value("SELECT count(*) FROM imports WHERE state = 'cancelled'") == 2
