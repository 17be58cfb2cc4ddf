"""One entry of the service's table of routes."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aiohttp import web

from api_service.web.openapi.operation import Operation
from shared.model.roles import Role

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Open without a token. A name of its own, so that forgetting the roles cannot open a route.
PUBLIC: frozenset[Role] | None = None
USERS = frozenset({Role.USER, Role.ADMIN})
ADMINS = frozenset({Role.ADMIN})
WORKERS = frozenset({Role.WORKER})
ANY_ROLE = frozenset(Role)
# The name of all unknown paths in logs, metrics and traces.
NO_ROUTE = "(none)"


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path, the roles that may use them, and their description.

    `problem_fields` are added to the body of every error there. The fields are positional, so that the table of routes
    reads as a table.
    """

    method: str
    path: str
    handler: Handler
    operation: Operation
    roles: frozenset[Role] | None
    problem_fields: Callable[[str], Mapping[str, Any]] | None = field(default=None, kw_only=True)


def template(request: web.Request) -> str:
    """Return the path of the request's route, as in the table of routes."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else NO_ROUTE
