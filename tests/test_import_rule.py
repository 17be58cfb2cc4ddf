"""The one-way rule of ARCHITECTURE.md, kept by reading the source (standard-library `ast`, transitively)."""

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("shared", "api_service", "import_worker", "longshore_client")

# Module or package -> what it must not reach, directly or through modules of ours.
FORBIDDEN = {
    "shared": {"api_service", "import_worker", "longshore_client"},
    "api_service": {"import_worker", "longshore_client"},
    "import_worker": {"api_service", "longshore_client"},
    # It knows the HTTP contract alone.
    "longshore_client": {"shared", "api_service", "import_worker"},
}
# These reach nothing but the standard library.
PURE = ("shared.oci", "shared.model", "shared.errors")
# The copy's core: protocols and arithmetic. What it must not reach are the libraries that do I/O.
CORE = (
    "shared.planning",
    "import_worker.copying",
    "import_worker.engine.push_layers",
    "import_worker.engine.pushed_image",
)
IO_LIBRARIES = {"aiohttp", "aio_pika", "aiormq", "asyncpg", "aiodocker", "h11", "socket", "ssl", "sqlalchemy"}
# Each library has one home; a few have two ends.
HOMES = {
    "aiohappyeyeballs": ("shared.http_client.bulk",),
    "h11": ("shared.http_client.bulk",),
    "aiodocker": ("import_worker.engine.docker_engine",),
    "isal": ("import_worker.engine.compression",),
    "zstandard": ("import_worker.engine.compression", "import_worker.engine.unpack"),
    "asyncpg": ("shared.db",),
    "alembic": ("shared.db",),
    "apispec": ("api_service.web.openapi",),
    "sqlalchemy": ("shared.db",),
    "aio_pika": (
        "shared.messages.topology",
        "shared.messages.broker",
        "api_service.background.broker",
        "import_worker.consumer",
    ),
    "cryptography": ("shared.runtime.secret_box",),
    "environs": (
        "shared.settings",
        "shared.tracing.settings",
        "api_service.settings",
        "api_service.auth.oidc_settings",
        "import_worker.settings",
    ),
    "opentelemetry": ("shared.tracing.otel",),
    "prometheus_client": ("api_service.metrics", "import_worker.metrics"),
    "joserfc": ("api_service.auth.issuer_keys", "api_service.auth.jwt_verifier"),
    "stamina": ("shared.http_client.retry",),
    "webargs": ("api_service.web.requests",),
    "uvloop": ("api_service.cli", "import_worker.cli"),
    "click": (
        "api_service.cli",
        "api_service.commands.common",
        "api_service.commands.secrets",
        "api_service.commands.token",
        "longshore_client.cli",
        "longshore_client.commands",
        "longshore_client.terminal.output",
        "import_worker.cli",
    ),
    "rich": ("api_service.commands.token", "longshore_client.commands", "longshore_client.terminal"),
}
# The parts of the client that are the `longshore` command; the rest is for other people's programs, too.
COMMAND_LINE = ("longshore_client.cli", "longshore_client.commands", "longshore_client.terminal")
# Migrations are alembic's; running them is not part of serving.
SERVICES = ("api_service.app", "import_worker.worker")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for package in OURS for path in (ROOT / package).rglob("*.py")}


@cache
def direct_imports(module: str) -> frozenset[str]:
    """Everything that a module imports, wherever in it the statement stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            assert node.module
            # `from package import module` names a module; `from module import thing` does not.
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found.update(name if name in MODULES else node.module for name in names)
    return frozenset(found)


@cache
def reached(module: str) -> frozenset[str]:
    """Everything that importing a module brings along, through modules of ours."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        for name in direct_imports(waiting.pop()) - seen:
            seen.add(name)
            if name in MODULES:
                waiting.append(name)
    return frozenset(seen)


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def modules_of(package: str) -> list[str]:
    found = [module for module in MODULES if within(module, package)]
    assert found, f"{package} does not exist"
    return found


@pytest.mark.parametrize("package", FORBIDDEN)
def test_packages_depend_one_way(package: str) -> None:
    """Both services depend on shared; shared on neither, and neither on the other."""
    for module in modules_of(package):
        for name in reached(module):
            assert name.partition(".")[0] not in FORBIDDEN[package], f"{module} reaches {name}"


@pytest.mark.parametrize("package", PURE)
def test_vocabulary_is_standard_library_only(package: str) -> None:
    """The vocabulary is a leaf without I/O, fit for property tests."""
    for module in modules_of(package):
        for name in reached(module) - MODULES.keys():
            assert name.partition(".")[0] in sys.stdlib_module_names, f"{module} reaches {name}"


@pytest.mark.parametrize("package", CORE)
def test_copy_core_reaches_no_io_library(package: str) -> None:
    """The copy knows two protocols, so that a dict can play either end."""
    for module in modules_of(package):
        for name in reached(module):
            assert name.partition(".")[0] not in IO_LIBRARIES, f"{module} reaches {name}"


def test_the_python_client_needs_aiohttp_alone() -> None:
    """Who imports it for a program of their own does not get a command line with it."""
    for module in modules_of("longshore_client"):
        if not any(within(module, part) for part in COMMAND_LINE):
            ours = {name for name in reached(module) if any(within(name, part) for part in COMMAND_LINE)}
            libraries = {name.partition(".")[0] for name in reached(module) - MODULES.keys()}
            assert not ours, f"{module} reaches {ours}"
            assert libraries - sys.stdlib_module_names <= {"aiohttp"}, module
    assert [
        module for module in MODULES if "aiohttp" in direct_imports(module) and within(module, "longshore_client")
    ] == ["longshore_client.transport"]


@pytest.mark.parametrize("library", HOMES)
def test_each_library_has_one_home(library: str) -> None:
    """A library is named where it is wrapped, so that its errors are translated there."""
    for module in MODULES:
        if any(within(name, library) for name in direct_imports(module)):
            assert any(within(module, home) for home in HOMES[library]), f"{module} imports {library}"


@pytest.mark.parametrize("service", SERVICES)
def test_services_do_not_load_the_migration_tools(service: str) -> None:
    """SQLAlchemy and alembic cost start-up time and memory, and serve `longshore-api migrate` alone."""
    assert not {name.partition(".")[0] for name in reached(service)} & {"alembic", "sqlalchemy"}


def test_the_reader_sees_transitive_imports() -> None:
    """The rule above is only as good as its reader: it follows our modules to the libraries behind them."""
    assert "asyncpg" in reached("import_worker.worker")
    assert "shared.oci.digest" in reached("import_worker.copying.image")
