"""Every route's operation."""

from collections.abc import Mapping

from api_service.console import operations as console_operations
from api_service.images import change_operations
from api_service.images import operations as image_operations
from api_service.imports import operations as import_operations
from api_service.registries import operations as registry_operations
from api_service.status import service_operations, target_operations
from api_service.web.openapi.operation import Operation

_BASE = "/api/v1"

OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("GET", "/"): console_operations.PAGE,
    ("GET", "/console/{file}"): console_operations.FILE,
    ("GET", "/healthz"): service_operations.ALIVE,
    ("GET", "/readyz"): service_operations.READY,
    ("GET", f"{_BASE}/openapi.json"): service_operations.DOCUMENT,
    ("GET", f"{_BASE}/docs"): service_operations.PAGE,
    ("GET", f"{_BASE}/docs/{{file}}"): service_operations.PAGE_FILE,
    ("GET", f"{_BASE}/whoami"): service_operations.WHOAMI,
    ("GET", f"{_BASE}/images"): image_operations.LIST,
    ("GET", f"{_BASE}/images/{{id}}"): image_operations.GET,
    ("DELETE", f"{_BASE}/images/{{id}}"): change_operations.DELETE,
    ("POST", f"{_BASE}/images/{{id}}/importing:cancel"): change_operations.CANCEL,
    ("POST", f"{_BASE}/images/{{id}}/importing:retry"): change_operations.RETRY,
    ("GET", f"{_BASE}/operations"): service_operations.OPERATIONS,
    ("GET", f"{_BASE}/harbor/stats"): target_operations.STATISTICS,
    ("GET", f"{_BASE}/images/{{id}}/importing-details"): image_operations.DETAILS,
    ("POST", f"{_BASE}/images:import"): import_operations.START,
    ("PUT", f"{_BASE}/images:import/{{name}}/progress"): import_operations.REPORT,
    ("GET", f"{_BASE}/image-registries"): registry_operations.LIST,
    ("POST", f"{_BASE}/image-registries"): registry_operations.CREATE,
    ("GET", f"{_BASE}/image-registries/{{id}}"): registry_operations.GET,
    ("PATCH", f"{_BASE}/image-registries/{{id}}"): registry_operations.CHANGE,
    ("DELETE", f"{_BASE}/image-registries/{{id}}"): registry_operations.DELETE,
}
