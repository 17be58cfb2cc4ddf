"""The table of routes: every one, the roles that may use it, and its api_page."""

from collections.abc import Collection, Sequence

from aiohttp import hdrs, web

from api_service.api_page import handlers as api_page
from api_service.api_page import operations as api_page_operations
from api_service.audit import handlers as audit
from api_service.audit import operations as audit_operations
from api_service.console import handlers as console
from api_service.console import operations as console_operations
from api_service.images import handlers as images
from api_service.images import operations as image_operations
from api_service.imports import handlers as imports
from api_service.imports import operations as import_operations
from api_service.imports.answers import refusal_json
from api_service.registries import handlers as registries
from api_service.registries import operations as registry_operations
from api_service.rules import handlers as rules
from api_service.rules import operations as rule_operations
from api_service.status import handlers as status
from api_service.status import operations as status_operations
from api_service.tokens import handlers as tokens
from api_service.tokens import operations as token_operations
from api_service.web.keys import ROUTES
from api_service.web.route import ADMINS, ANY_ROLE, PUBLIC, USERS, WORKERS, Route

BASE = "/api/v1"

ALL_ROUTES: Sequence[Route] = (
    Route("GET", "/", console.page_handler, console_operations.PAGE, PUBLIC),
    Route("GET", "/console/{file}", console.file_handler, console_operations.FILE, PUBLIC),
    Route("GET", "/healthz", status.alive_handler, status_operations.ALIVE, PUBLIC),
    Route("GET", "/readyz", status.ready_handler, status_operations.READY, PUBLIC),
    Route("GET", f"{BASE}/openapi.json", api_page.document_handler, api_page_operations.DOCUMENT, PUBLIC),
    Route("GET", f"{BASE}/docs", api_page.page_handler, api_page_operations.PAGE, PUBLIC),
    Route("GET", f"{BASE}/docs/{{file}}", api_page.page_file_handler, api_page_operations.PAGE_FILE, PUBLIC),
    Route("GET", f"{BASE}/whoami", status.whoami_handler, status_operations.WHOAMI, ANY_ROLE),
    Route("GET", f"{BASE}/images", images.list_handler, image_operations.LIST, USERS),
    Route("GET", f"{BASE}/images/{{id}}", images.get_handler, image_operations.GET, USERS),
    Route("DELETE", f"{BASE}/images/{{id}}", images.delete_handler, image_operations.DELETE, USERS),
    Route("GET", f"{BASE}/images/{{id}}/importing-details", images.details_handler, image_operations.DETAILS, USERS),
    Route(
        "POST",
        f"{BASE}/images:import",
        imports.import_handler,
        import_operations.START,
        USERS,
        problem_fields=refusal_json,
    ),
    Route(
        "PUT", f"{BASE}/images:import/{{name}}/progress", imports.progress_handler, import_operations.REPORT, WORKERS
    ),
    Route("POST", f"{BASE}/images:import/{{name}}/begin", imports.begin_handler, import_operations.BEGIN, WORKERS),
    Route("POST", f"{BASE}/images:import/{{name}}/admit", imports.admit_handler, import_operations.ADMIT, WORKERS),
    Route("POST", f"{BASE}/images/{{id}}/importing:cancel", imports.cancel_handler, import_operations.CANCEL, USERS),
    Route(
        "POST",
        f"{BASE}/images/{{id}}/importing:retry",
        imports.retry_handler,
        import_operations.RETRY,
        USERS,
        problem_fields=refusal_json,
    ),
    Route("GET", f"{BASE}/harbor/stats", status.stats_handler, status_operations.STATISTICS, USERS),
    Route("GET", f"{BASE}/operations", status.operations_handler, status_operations.OPERATIONS, USERS),
    Route("GET", f"{BASE}/image-registries", registries.list_handler, registry_operations.LIST, USERS),
    Route("POST", f"{BASE}/image-registries", registries.create_handler, registry_operations.CREATE, ADMINS),
    Route("GET", f"{BASE}/image-registries/{{id}}", registries.get_handler, registry_operations.GET, ADMINS),
    Route("PATCH", f"{BASE}/image-registries/{{id}}", registries.change_handler, registry_operations.CHANGE, ADMINS),
    Route("DELETE", f"{BASE}/image-registries/{{id}}", registries.delete_handler, registry_operations.DELETE, ADMINS),
    Route("POST", f"{BASE}/image-registries/{{id}}:test", registries.test_handler, registry_operations.TEST, USERS),
    Route("GET", f"{BASE}/import-rules", rules.list_handler, rule_operations.LIST, USERS),
    Route("POST", f"{BASE}/import-rules", rules.create_handler, rule_operations.CREATE, ADMINS),
    Route("POST", f"{BASE}/import-rules:check", imports.check_rules_handler, import_operations.CHECK_RULES, USERS),
    Route("GET", f"{BASE}/import-rules/{{id}}", rules.get_handler, rule_operations.GET, ADMINS),
    Route("PATCH", f"{BASE}/import-rules/{{id}}", rules.change_handler, rule_operations.CHANGE, ADMINS),
    Route("DELETE", f"{BASE}/import-rules/{{id}}", rules.delete_handler, rule_operations.DELETE, ADMINS),
    Route("GET", f"{BASE}/audit", audit.list_handler, audit_operations.LIST, ADMINS),
    Route("GET", f"{BASE}/tokens", tokens.list_handler, token_operations.LIST, USERS),
    Route("POST", f"{BASE}/tokens", tokens.create_handler, token_operations.CREATE, USERS),
    Route("DELETE", f"{BASE}/tokens/{{id}}", tokens.revoke_handler, token_operations.REVOKE, USERS),
)


def add_routes(app: web.Application, routes: Sequence[Route] = ALL_ROUTES) -> None:
    """Register the routes, and HEAD for every GET."""
    app[ROUTES] = {route.handler: route for route in routes}
    paths = {route.path for route in routes}
    for route in routes:
        resource = app.router.add_resource(_pattern(route.path, paths))
        resource.add_route(route.method, route.handler)
        if route.method == hdrs.METH_GET:
            resource.add_route(hdrs.METH_HEAD, route.handler)


def _pattern(path: str, paths: Collection[str]) -> str:
    """Return aiohttp's pattern of a path: its last id has no colon if an operation such as `{id}:test` follows it."""
    followed = any(other.startswith(f"{path}:") for other in paths)
    return path.removesuffix("{id}") + "{id:[^{}/:]+}" if followed and path.endswith("/{id}") else path
