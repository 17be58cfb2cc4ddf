"""The two distributions: the server's wheel, and the client's wheel in a separate environment."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# mypy reads aiohttp and rich once; on a busy machine that takes a minute or two. Seconds.
TYPE_CHECK_SECONDS = 300
# Module names that were top-level names of this repository once, or still are in the server's wheel alone.
OTHERS = ("client", "shared", "api_service", "import_worker")

PROGRAM = """
import asyncio

from longshore_client import Account, ImageQuery, LongshoreClient


async def main() -> None:
    async with LongshoreClient("https://longshore.example.com", "lsh_x") as longshore:
        account = Account(username="me", password="secret")
        started = await longshore.import_image("quay.io/team/app:1.0", platforms=("linux/amd64",), credentials=account)
        async for details in longshore.watch(started.image_id):
            print(details.state, details.progress + 1)
        await longshore.change_registry(1, username=None, password=None, default=False)
        print([image.reference async for image in longshore.images(ImageQuery(ready=True))])


asyncio.run(main())
"""


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """A built wheel."""

    path: Path

    @property
    def names(self) -> set[str]:
        """The paths of its files, without its metadata."""
        return {name for name in zipfile.ZipFile(self.path).namelist() if ".dist-info/" not in name}

    @property
    def metadata(self) -> Message:
        return Parser().parsestr(self._read("METADATA"))

    @property
    def commands(self) -> set[str]:
        return {line.partition(" = ")[0] for line in self._read("entry_points.txt").splitlines() if " = " in line}

    def _read(self, name: str) -> str:
        with zipfile.ZipFile(self.path) as archive:
            found = next(path for path in archive.namelist() if path.endswith(f".dist-info/{name}"))
            return archive.read(found).decode()


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Wheel]:
    """Both wheels by distribution, built by `make wheels` with the builder of this environment."""
    folder = tmp_path_factory.mktemp("wheels")
    command = ["make", "wheels", "--old-file", ".cache/build/ready", f"BUILDER={sys.executable}", f"DIST={folder}"]
    subprocess.run(command, cwd=ROOT, check=True)
    found = [Wheel(path=path) for path in folder.iterdir()]
    return {wheel.metadata["Name"]: wheel for wheel in found}


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A fresh environment with the client's wheel, and the wheel's requirements from this environment."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def run(self, command: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run one of its commands outside of the checkout."""
        return subprocess.run(
            [self.folder / "bin" / command, *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **environment},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def installation(wheels: dict[str, Wheel], tmp_path_factory: pytest.TempPathFactory) -> Installation:
    folder = tmp_path_factory.mktemp("installation") / "venv"
    venv.create(folder, symlinks=True)
    installed = Installation(folder=folder)
    pip = (sys.executable, "-m", "pip", "--python", installed.python, "--disable-pip-version-check", "--quiet")
    wheel = wheels["longshore-client"].path
    subprocess.run([*map(str, pip), "install", "--no-deps", "--no-index", str(wheel)], check=True)
    # A path that a .pth file adds has its own .pth files ignored: this checkout's editable packages stay unseen.
    [site_packages] = folder.glob("lib/python*/site-packages")
    (site_packages / "requirements.pth").write_text(sysconfig.get_path("purelib"))
    return installed


def test_both_wheels_have_one_version(wheels: dict[str, Wheel]) -> None:
    assert set(wheels) == {"longshore", "longshore-client"}
    assert len({wheel.metadata["Version"] for wheel in wheels.values()}) == 1


def test_the_servers_wheel_holds_the_services_and_nothing_else(wheels: dict[str, Wheel]) -> None:
    """Migrations and the API's page are data of the API; tests, local tools and the client are not in it."""
    names = wheels["longshore"].names
    assert "shared/db/migrations/versions/0001_first_schema.py" in names
    assert "shared/db/migrations/script.py.mako" in names
    page = {path.name for path in (ROOT / "api_service" / "api_page").iterdir() if path.is_file()}
    assert page == {name.rpartition("/")[2] for name in names if name.startswith("api_service/api_page/")}
    assert {name.partition("/")[0] for name in names} == {"shared", "api_service", "import_worker"}
    assert wheels["longshore"].commands == {"longshore-api", "longshore-worker"}


def test_the_clients_wheel_holds_its_package_alone(wheels: dict[str, Wheel]) -> None:
    """Every module, the mark of a typed package, and nothing that another distribution could call its own."""
    package = ROOT / "longshore_client"
    modules = {str(path.relative_to(ROOT)) for path in package.rglob("*.py")}
    assert wheels["longshore-client"].names == modules | {"longshore_client/py.typed"}
    assert wheels["longshore-client"].commands == {"longshore"}
    required = wheels["longshore-client"].metadata.get_all("Requires-Dist") or []
    assert {name.partition(">=")[0] for name in required} == {"aiohttp", "click", "rich"}


def test_the_images_have_every_command(wheels: dict[str, Wheel]) -> None:
    """The Dockerfile builds both projects; its entry points are commands of the server's wheel."""
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    assert "--wheel-dir /dist . ./longshore_client" in dockerfile
    for command in wheels["longshore"].commands:
        assert f'ENTRYPOINT ["{command}"]' in dockerfile


def test_the_command_does_not_mind_modules_of_other_programs(installation: Installation, tmp_path: Path) -> None:
    """`client` and `shared` are names that any program has: on PYTHONPATH, they come before installed packages."""
    for name in OTHERS:
        (tmp_path / f"{name}.py").write_text("raise ImportError('a module of another program')\n")
    own = {"PYTHONPATH": str(tmp_path), "LONGSHORE_URL": "http://127.0.0.1:1", "LONGSHORE_TOKEN": "lsh_x"}
    for arguments in (["--version"], ["images", "--help"], ["import", "--help"]):
        done = installation.run("longshore", *arguments, **own)
        assert (done.returncode, done.stderr) == (0, "")
    asked = installation.run("longshore", "images", **own)
    assert (asked.returncode, asked.stderr.splitlines()[0]) == (
        3,
        "error: http://127.0.0.1:1 cannot be reached: Connection refused.",
    )


def test_the_installed_client_stands_alone(installation: Installation) -> None:
    """Neither the checkout nor the server's wheel can be imported in its environment."""
    find = "import importlib.util as u; print(*(n for n in {names} if u.find_spec(n)))"
    done = installation.run("python", "-c", find.format(names=(*OTHERS, "longshore_client")))
    assert done.stdout.split() == ["longshore_client"]


@pytest.mark.timeout(TYPE_CHECK_SECONDS)
def test_a_program_is_checked_against_the_installed_client(installation: Installation, tmp_path: Path) -> None:
    """Under `mypy --strict`, a right program passes, and a wrong option is named."""

    def check(program: str) -> str:
        (tmp_path / "program.py").write_text(program)
        mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(installation.python)]
        # Use no configuration file.
        command = [*mypy, "--config-file", os.devnull, "program.py"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout

    assert "Success" in check(PROGRAM)
    assert '"platforms"' in check(PROGRAM.replace('platforms=("linux/amd64",)', "platforms=7"))
    assert '"force_it"' in check(PROGRAM.replace("credentials=account", "force_it=True"))
    assert '"default"' in check(PROGRAM.replace("default=False", 'default="no"'))
