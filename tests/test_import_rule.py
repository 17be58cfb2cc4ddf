"""The import rule of ARCHITECTURE.md, checked on the source (standard-library `ast`, transitively).

When a test here fails, move the code, not the rule; each message says where to.
"""

import ast
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("shared", "api_service", "import_worker", "longshore_client")
# What ships is held to the rule above; the local stack, which tests and developers start, only to having no cycle.
LOCAL_STACK = "deploy"

# Package -> packages that it must not reach, directly or through modules of ours.
FORBIDDEN = {
    "shared": {"api_service", "import_worker", "longshore_client"},
    "api_service": {"import_worker", "longshore_client"},
    "import_worker": {"api_service", "longshore_client"},
    # The client knows the HTTP contract alone.
    "longshore_client": {"shared", "api_service", "import_worker"},
}
# The vocabulary, which reaches nothing but the standard library.
PURE = ("shared.oci", "shared.model", "shared.errors")
# The copy's core: protocols and arithmetic, without the libraries that do I/O.
CORE = (
    "shared.planning",
    "import_worker.copying",
    "import_worker.engine.push_layers",
    "import_worker.engine.pushed_image",
)
IO_LIBRARIES = {"aiohttp", "aio_pika", "aiormq", "asyncpg", "aiodocker", "h11", "socket", "ssl", "sqlalchemy"}
# A room of the API: one resource. These modules of it are its web side; the others are its use cases.
ROOMS = ("audit", "images", "imports", "registries", "rules", "status", "tokens", "auth")
WEB_SIDE = ("handlers", "requests", "answers", "operations", "keys", "middleware")
WEB_LIBRARIES = ("aiohttp.web", "aiohttp_sse", "webargs", "marshmallow")
# Settings are read with environs, whose validators are marshmallow's.
SETTINGS = ("api_service.auth.oidc_settings",)


def web_side(*names: str) -> tuple[str, ...]:
    return tuple(f"api_service.{room}.{name}" for room in ROOMS for name in names)


SERVERS = (
    "api_service.app",
    "api_service.parts",
    "api_service.routes",
    "api_service.web",
    "api_service.console.handlers",
    "api_service.api_page.handlers",
    "api_service.metrics.exposition",
    "import_worker.health",
    *web_side("handlers", "keys", "middleware"),
)
READS_SETTINGS = (
    "shared.settings",
    "shared.target.settings",
    "shared.tracing.settings",
    "api_service.settings",
    "api_service.auth.oidc_settings",
    "import_worker.settings",
)
# Each library has one home, a few have two ends. The longest name that fits an import decides.
HOMES: Mapping[str, tuple[str, ...]] = {
    # The server's side.
    "aiohttp.web": SERVERS,
    "aiohttp.hdrs": SERVERS,
    "aiohttp_sse": ("api_service.web.event_stream",),
    # The client's side.
    "aiohttp": (
        "shared.http_client",
        "shared.registry.repository_requests",
        "api_service.auth.issuer_documents",
        "import_worker.adapters.api_client",
        "import_worker.engine.docker_engine",
        "longshore_client.transport",
    ),
    "yarl": ("shared.http_client", "shared.registry", "shared.harbor.api", "api_service.web.requests"),
    "marshmallow": (
        *READS_SETTINGS,
        "shared.messages",
        "api_service.web",
        "api_service.api_page.operations",
        "import_worker.consumer",
        *web_side("requests", "answers"),
    ),
    "orjson": (
        "api_service.app",
        "api_service.web",
        "api_service.background.broker",
        "import_worker.adapters.api_client",
        "import_worker.consumer",
    ),
    "aiohappyeyeballs": ("shared.http_client.bulk",),
    "h11": ("shared.http_client.bulk",),
    "aiodocker": ("import_worker.engine.docker_engine",),
    "isal": ("import_worker.engine.compression",),
    "zstandard": ("import_worker.engine.compression",),
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
    "aiormq": ("api_service.background.broker",),
    "pamqp": ("api_service.background.broker",),
    "cryptography": ("shared.runtime.secret_box",),
    "environs": READS_SETTINGS,
    "opentelemetry": ("shared.tracing.otel",),
    "prometheus_client": ("api_service.metrics", "import_worker.metrics"),
    "joserfc": ("api_service.auth.issuer_keys", "api_service.auth.jwt_verifier"),
    "stamina": ("shared.http_client.retry",),
    "webargs": ("api_service.web.requests",),
    "uvloop": ("api_service.cli", "import_worker.cli"),
    "click": (
        "api_service.cli",
        "api_service.commands",
        "longshore_client.cli",
        "longshore_client.commands",
        "longshore_client.terminal.output",
        "import_worker.cli",
    ),
    "rich": (
        "api_service.commands.owner",
        "api_service.commands.token",
        "longshore_client.commands",
        "longshore_client.terminal",
    ),
}
# The parts of the client that are the `longshore` command; the rest is for other people's programs, too.
COMMAND_LINE = ("longshore_client.cli", "longshore_client.commands", "longshore_client.terminal")
# Migrations are alembic's; running them is not part of serving.
SERVICES = ("api_service.app", "import_worker.worker")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for package in (*OURS, LOCAL_STACK) for path in (ROOT / package).rglob("*.py")}


@cache
def direct_imports(module: str) -> frozenset[str]:
    """Return everything that a module imports, at its top or inside a function.

    `from package import thing` counts as `package` if that is a module of ours, else as `package.thing`, so that the
    parts of a library can be told apart.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            assert node.module
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found.update(node.module if node.module in MODULES and name not in MODULES else name for name in names)
    return frozenset(found)


@cache
def reached(module: str) -> frozenset[str]:
    """Return everything that importing a module loads, through modules of ours."""
    return frozenset(walk(module, direct_imports))


def walk(start: str, imports: Callable[[str], Iterable[str]]) -> set[str]:
    """Return everything reachable, without `start` itself unless a cycle leads back to it."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for name in set(imports(waiting.pop())) - seen:
            seen.add(name)
            if name in MODULES:
                waiting.append(name)
    return seen


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def library_of(name: str) -> str | None:
    """Return the library that an import belongs to, by the longest name in HOMES."""
    return max((library for library in HOMES if within(name, library)), key=len, default=None)


def modules_of(package: str) -> list[str]:
    found = [module for module in MODULES if within(module, package)]
    assert found, f"{package} does not exist"
    return found


@pytest.mark.parametrize("package", FORBIDDEN)
def test_packages_depend_one_way(package: str) -> None:
    """Both services depend on shared; shared on neither, and neither on the other."""
    for module in modules_of(package):
        for name in reached(module):
            assert name.partition(".")[0] not in FORBIDDEN[package], (
                f"{module} reaches {name}: move the common part to `shared`, or turn the arrow around with a protocol"
            )


@pytest.mark.parametrize("package", PURE)
def test_vocabulary_is_standard_library_only(package: str) -> None:
    """The vocabulary is a leaf without I/O, fit for property tests."""
    for module in modules_of(package):
        for name in reached(module) - MODULES.keys():
            assert name.partition(".")[0] in sys.stdlib_module_names, (
                f"{module} reaches {name}: put what needs a library where that library has its home"
            )


@pytest.mark.parametrize("package", CORE)
def test_copy_core_reaches_no_io_library(package: str) -> None:
    """The copy knows two protocols, so that a dict can play either end."""
    for module in modules_of(package):
        for name in reached(module):
            assert name.partition(".")[0] not in IO_LIBRARIES, (
                f"{module} reaches {name}: declare a protocol here, and implement it in an adapter"
            )


def test_the_python_client_needs_aiohttp_alone() -> None:
    """A program that imports the client does not load a command line with it."""
    for module in modules_of("longshore_client"):
        if not any(within(module, part) for part in COMMAND_LINE):
            ours = {name for name in reached(module) if any(within(name, part) for part in COMMAND_LINE)}
            libraries = {name.partition(".")[0] for name in reached(module) - MODULES.keys()}
            assert not ours, f"{module} reaches {ours}"
            assert libraries - sys.stdlib_module_names <= {"aiohttp"}, module
    assert [
        module
        for module in modules_of("longshore_client")
        if any(within(name, "aiohttp") for name in direct_imports(module))
    ] == ["longshore_client.transport"]


@pytest.mark.parametrize("library", HOMES)
def test_each_library_has_one_home(library: str) -> None:
    """A library is imported where it is wrapped, so that its errors are translated there."""
    for package in OURS:
        for module in modules_of(package):
            if any(library_of(name) == library for name in direct_imports(module)):
                assert any(within(module, home) for home in HOMES[library]), (
                    f"{module} imports {library}, whose homes are {', '.join(HOMES[library])}: call one of them instead"
                )


def use_cases() -> Iterator[str]:
    for room in ROOMS:
        for module in modules_of(f"api_service.{room}"):
            if module.rpartition(".")[2] not in WEB_SIDE and module not in SETTINGS:
                yield module


def api_imports(module: str) -> Iterable[str]:
    """Return the imports to follow: the API's own modules but settings. `shared` serves the worker as well."""
    return direct_imports(module) if within(module, "api_service") and module not in SETTINGS else ()


def test_use_cases_do_not_reach_the_web_side() -> None:
    """Use cases take and return dataclasses, so that a test or a background loop can call them without a request."""
    forbidden = ("api_service.web", *WEB_LIBRARIES, *web_side(*WEB_SIDE))
    for module in use_cases():
        for name in walk(module, api_imports):
            assert not any(within(name, part) for part in forbidden), (
                f"{module} reaches {name}: take a dataclass and let `requests.py` make it, or return one and let "
                "`answers.py` render it"
            )


def package_of(module: str) -> str:
    """Return the package for the rule on cycles; a module directly in a top-level package counts by itself."""
    return ".".join(module.split(".")[: 3 if within(module, LOCAL_STACK) else 2])


def check_no_cycle(graph: Mapping[str, Iterable[str]], advice: str) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(f"{' imports '.join(reversed(error.args[1]))}: {advice}") from None


def test_no_cycle_among_files() -> None:
    check_no_cycle(
        {module: [name for name in direct_imports(module) if name in MODULES] for module in MODULES},
        "move what both need into a third module",
    )


def test_no_cycle_among_packages() -> None:
    """A package can be read, and understood, before those that import it."""
    graph: dict[str, set[str]] = {}
    for module in MODULES:
        package = package_of(module)
        others = {package_of(name) for name in direct_imports(module) if name in MODULES}
        graph.setdefault(package, set()).update(others - {package})
    check_no_cycle(graph, "move the module to the side that it belongs to, or what both need to a third package")


@pytest.mark.parametrize("service", SERVICES)
def test_services_do_not_load_the_migration_tools(service: str) -> None:
    """SQLAlchemy and alembic cost start-up time and memory, and serve `longshore-api migrate` alone."""
    loaded = {name.partition(".")[0] for name in reached(service)} & {"alembic", "sqlalchemy"}
    assert not loaded, f"{service} reaches {loaded}: import them in the command's function"


def test_the_reader_sees_transitive_imports() -> None:
    """The rules depend on the reader: it follows our modules to the libraries that they import."""
    assert "asyncpg" in reached("import_worker.worker")
    assert "shared.oci.digest" in reached("import_worker.copying.image")
