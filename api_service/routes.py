"""The table of routes: all there are, and who may use them."""

from collections.abc import Sequence

from aiohttp import hdrs, web

from api_service.api_page import handlers as description
from api_service.console import handlers as console
from api_service.images import change_handlers as changes
from api_service.images import handlers as images
from api_service.imports import handlers as imports
from api_service.imports.request import refusal_fields
from api_service.registries import handlers as registries
from api_service.status import health_handlers as health
from api_service.status import operations_handlers as operations
from api_service.status import statistics_handlers as statistics
from api_service.status import whoami_handlers as whoami
from api_service.web.keys import ROUTES
from api_service.web.route import ADMINS, ANYBODY, PUBLIC, USERS, WORKERS, Route

BASE = "/api/v1"

ALL_ROUTES: Sequence[Route] = (
    Route(method="GET", path="/", handler=console.page_handler, roles=PUBLIC),
    Route(method="GET", path="/console/{file}", handler=console.file_handler, roles=PUBLIC),
    Route(method="GET", path="/healthz", handler=health.alive_handler, roles=PUBLIC),
    Route(method="GET", path="/readyz", handler=health.ready_handler, roles=PUBLIC),
    Route(method="GET", path=f"{BASE}/openapi.json", handler=description.document_handler, roles=PUBLIC),
    Route(method="GET", path=f"{BASE}/docs", handler=description.page_handler, roles=PUBLIC),
    Route(method="GET", path=f"{BASE}/docs/{{file}}", handler=description.page_file_handler, roles=PUBLIC),
    Route(method="GET", path=f"{BASE}/whoami", handler=whoami.whoami_handler, roles=ANYBODY),
    Route(method="GET", path=f"{BASE}/images", handler=images.list_handler, roles=USERS),
    Route(method="GET", path=f"{BASE}/images/{{id}}", handler=images.get_handler, roles=USERS),
    Route(method="DELETE", path=f"{BASE}/images/{{id}}", handler=changes.delete_handler, roles=USERS),
    Route(
        method="GET",
        path=f"{BASE}/images/{{id}}/importing-details",
        handler=images.details_handler,
        roles=USERS,
    ),
    Route(
        method="POST",
        path=f"{BASE}/images:import",
        handler=imports.import_handler,
        roles=USERS,
        problem_fields=refusal_fields,
    ),
    Route(
        method="PUT",
        path=f"{BASE}/images:import/{{name}}/progress",
        handler=imports.progress_handler,
        roles=WORKERS,
    ),
    Route(
        method="POST",
        path=f"{BASE}/images/{{id}}/importing:cancel",
        handler=changes.cancel_handler,
        roles=USERS,
    ),
    Route(
        method="POST",
        path=f"{BASE}/images/{{id}}/importing:retry",
        handler=changes.retry_handler,
        roles=USERS,
        problem_fields=refusal_fields,
    ),
    Route(method="GET", path=f"{BASE}/harbor/stats", handler=statistics.stats_handler, roles=USERS),
    Route(method="GET", path=f"{BASE}/operations", handler=operations.operations_handler, roles=USERS),
    Route(method="GET", path=f"{BASE}/image-registries", handler=registries.list_handler, roles=USERS),
    Route(method="POST", path=f"{BASE}/image-registries", handler=registries.create_handler, roles=ADMINS),
    Route(method="GET", path=f"{BASE}/image-registries/{{id}}", handler=registries.get_handler, roles=ADMINS),
    Route(method="PATCH", path=f"{BASE}/image-registries/{{id}}", handler=registries.change_handler, roles=ADMINS),
    Route(method="DELETE", path=f"{BASE}/image-registries/{{id}}", handler=registries.delete_handler, roles=ADMINS),
)


def add_routes(app: web.Application, routes: Sequence[Route] = ALL_ROUTES) -> None:
    """Register the routes, with HEAD beside every GET."""
    app[ROUTES] = {route.handler: route for route in routes}
    for route in routes:
        resource = app.router.add_resource(route.path)
        resource.add_route(route.method, route.handler)
        if route.method == hdrs.METH_GET:
            resource.add_route(hdrs.METH_HEAD, route.handler)
