"""Following imports: bars in a terminal, lines elsewhere, and Ctrl-C; the test plays the worker."""

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
class Session:
    """A user's terminal. The API runs in this process meanwhile."""

    terminal: Terminal

    async def wait_for(self, text: str) -> str:
        return await asyncio.to_thread(self.terminal.wait_for, text)

    async def end(self) -> tuple[int, str]:
        """Return the exit status, and the output since the last wait."""
        status = await asyncio.to_thread(self.terminal.end)
        return status, self.terminal.rest()

    def type(self, text: str) -> None:
        self.terminal.type(text)


@asynccontextmanager
async def in_session(cli: Cli, *arguments: object, **size: int) -> AsyncIterator[Session]:
    with in_terminal([*COMMAND, *map(str, arguments)], cli.environment, **size) as terminal:
        yield Session(terminal)


@pytest.fixture
def reference(source: Source) -> str:
    source.push(REPOSITORY)
    return f"{source.host}/{REPOSITORY}:1.0"


async def state(api: Api) -> str:
    return str(await api.value("SELECT state FROM imports ORDER BY id DESC LIMIT 1"))


async def test_a_terminal_shows_a_bar_for_each_layer(api: Api, cli: Cli, reference: str) -> None:
    """With bytes, rate and time left; mounted and existing layers differ from copied ones."""
    async with in_session(cli, "import", reference) as session:
        await session.wait_for("Waiting for a worker.")
        worker = await DrivenWorker(api).claim(REPOSITORY)
        size = 20 * MEGABYTE
        await worker.report(a=moving(size, 0), b=arrived(500, Transfer.MOUNTED), c=arrived(900, Transfer.EXISTING))
        await session.wait_for("mounted, 500 bytes")
        await session.wait_for("exists already, 900 bytes")
        for megabytes in (4, 8):
            await asyncio.sleep(0.5)
            await worker.report(a=moving(size, megabytes * MEGABYTE))
        line = await session.wait_for("8.0/20.0 MB, ")
        assert "━" in line
        assert "MB/s, " in await session.wait_for(" s")
        assert await session.wait_for("40 %, 8.0/20.0 MB")
        await worker.report(a=arrived(size))
        await worker.ready()
        status, rest = await session.end()
    assert status == 0
    assert SHOW_CURSOR in rest
    assert "copied, 20.0 MB" in rest
    assert rest.rstrip().endswith(f"/{REPOSITORY}:1.0")


async def test_an_image_with_many_layers_fits_a_small_terminal(api: Api, cli: Cli, reference: str) -> None:
    """The layers that move are shown, the others are counted; no line is wider than the terminal."""
    async with in_session(cli, "import", reference, columns=48, lines=12) as session:
        await session.wait_for("Waiting for a worker.")
        worker = await DrivenWorker(api).claim(REPOSITORY)
        layers = {letter: arrived(1000) for letter in "0123456789"} | {"a": moving(MEGABYTE, 500_000)}
        await worker.report(ReportedState.RUNNING, **layers, b=moving(MEGABYTE, 0))
        shown = await session.wait_for("and 6 done")
        await session.wait_for("Copying.")
        await worker.ready()
        assert (await session.end())[0] == 0
    assert shown.count("copied") == 4


async def test_ctrl_c_lets_the_import_continue(api: Api, cli: Cli, reference: str) -> None:
    async with in_session(cli, "import", reference) as session:
        await session.wait_for("Waiting for a worker.")
        session.type(CTRL_C)
        status, rest = await session.end()
    assert status == 130
    assert SHOW_CURSOR in rest
    assert "Watch it: longshore watch 1" in rest
    assert await state(api) == "queued"


@pytest.mark.parametrize("command", ["import", "watch"])
async def test_ctrl_c_cancels_with_the_option(api: Api, cli: Cli, reference: str, command: str) -> None:
    if command == "watch":
        await cli.run("import", "--no-wait", reference)
    async with in_session(cli, command, "--cancel-on-interrupt", reference if command == "import" else 1) as session:
        await session.wait_for("Waiting for a worker.")
        session.type(CTRL_C)
        status, rest = await session.end()
    assert (status, await state(api)) == (130, "cancelled")
    assert f"{reference}: The import was cancelled." in rest


async def test_the_command_waits_for_an_import_that_writes_its_tag(api: Api, cli: Cli, reference: str) -> None:
    """The API refuses to cancel it, and it ends within moments."""
    async with in_session(cli, "import", "--cancel-on-interrupt", reference) as session:
        worker = await DrivenWorker(api).claim(REPOSITORY)
        await worker.report(ReportedState.TAGGING, a=arrived(500))
        await session.wait_for("the tag is being written.")
        session.type(CTRL_C)
        await asyncio.sleep(0.5)
        await worker.ready()
        status, rest = await session.end()
    assert (status, await state(api)) == (130, "ready")
    assert "ready, sha256:ffffffffffff" in rest


async def test_a_second_ctrl_c_ends_the_command_at_once(api: Api, cli: Cli, reference: str) -> None:
    """Even while the first one waits for an answer."""
    async with in_session(cli, "import", "--cancel-on-interrupt", reference) as session:
        worker = await DrivenWorker(api).claim(REPOSITORY)
        await worker.report(ReportedState.TAGGING, a=arrived(500))
        await session.wait_for("the tag is being written.")
        session.type(CTRL_C)
        await session.wait_for(SHOW_CURSOR)
        await asyncio.sleep(0.2)
        session.type(CTRL_C)
        async with asyncio.timeout(5):
            status, rest = await session.end()
    assert (status, SHOW_CURSOR in rest) == (130, True)
    assert await state(api) == "running"


async def test_without_a_terminal_there_are_plain_lines(api: Api, cli: Cli, reference: str) -> None:
    """For logs: no cursor movements, and no line twice."""
    running = asyncio.create_task(cli.run("import", reference))
    worker = await DrivenWorker(api).claim(REPOSITORY)
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
async def test_plain_terminals_get_plain_output(api: Api, cli: Cli, reference: str, setting: dict[str, str]) -> None:
    """TERM=dumb: lines; NO_COLOR (no-color.org): bars without colours."""
    plain = Cli(home=cli.home, settings={**cli.settings, **setting})
    async with in_session(plain, "import", reference) as session:
        await session.wait_for("Waiting for a worker.")
        worker = await DrivenWorker(api).claim(REPOSITORY)
        await worker.report(a=arrived(MEGABYTE))
        await session.wait_for("copied, 1.0 MB")
        await worker.ready()
        status, _ = await session.end()
        shown = session.terminal.output.decode()
    assert status == 0
    if "TERM" in setting:
        assert "\x1b" not in shown
    else:
        assert "\x1b[3" not in shown


async def test_several_imports_are_followed_at_once(api: Api, cli: Cli, source: Source) -> None:
    """One bar for all and one for each that moves; the failure of one does not affect the others."""
    names = [f"many/{letter}" for letter in "abc"]
    for name in names:
        source.push(name)
    listed = cli.home / "list.txt"
    listed.write_text("# all of them\n\n" + "".join(f"{source.host}/{name}:1.0\n" for name in [*names, "many/none"]))
    async with in_session(cli, "import", "-f", listed) as session:
        await session.wait_for("source_not_found, request ")
        first, second, third = [await DrivenWorker(api).claim(name) for name in names]
        await first.report(a=moving(20 * MEGABYTE, 5 * MEGABYTE))
        await session.wait_for("25 %, 5.0/20.0 MB")
        await session.wait_for("1/4 images")
        await first.ready()
        await second.ready("e")
        await third.fail("blob_not_found", "Gone.")
        status, rest = await session.end()
    assert status == 1
    assert "many/c:1.0: A layer is missing at the source: Gone." in rest
    assert "longshore retry " in rest
    assert "4 images: 2 ready, 1 failed, 1 refused, 6.0 MB" in rest


async def test_a_list_without_a_terminal_is_lines_and_references(api: Api, cli: Cli, source: Source) -> None:
    """A line may have a target after the source."""
    source.push("list/a")
    listed = f"{source.host}/list/a:1.0  team/chosen:7  # with a target\n{source.host}/list/none:1.0"
    running = asyncio.create_task(cli.run("import", "-f", "-", stdin=listed))
    await (await DrivenWorker(api).claim("list/a")).ready()
    done = await running
    assert (done.status, done.out) == (1, "harbor.example.com/team/chosen:7\n")
    assert f"[1/2] ✘ {source.host}/list/none:1.0: " in done.err
    assert f"[2/2] ✔ {source.host}/list/a:1.0: ready" in done.err


async def test_a_list_can_be_detached_from_and_cancelled(api: Api, cli: Cli, source: Source) -> None:
    names = [f"stop/{letter}" for letter in "ab"]
    for name in names:
        source.push(name)
    sources = [f"{source.host}/{name}:1.0" for name in names]

    async def all_queued() -> bool:
        return bool(await api.value("SELECT count(*) = 2 FROM imports WHERE state = 'queued'"))

    async def interrupted(*options: str) -> str:
        async with in_session(cli, "import", *options, *sources) as session:
            await until(all_queued)
            await session.wait_for("0/2 images")
            await asyncio.sleep(0.5)
            session.type(CTRL_C)
            status, rest = await session.end()
        assert status == 130
        return rest

    assert "imports that have started go on" in await interrupted()
    assert await api.value("SELECT count(*) FROM imports WHERE state = 'queued'") == 2
    assert "2 images: 2 cancelled" in await interrupted("--cancel-on-interrupt")
    assert await api.value("SELECT count(*) FROM imports WHERE state = 'cancelled'") == 2
