"""A stored registry as it is shown: everything but its password."""

from typing import Any

from api_service.registries.address import registry_url
from api_service.web.answers import rfc3339
from shared.db.registries import StoredRegistry
from shared.network.policy import NetworkPolicy


def registry_json(registry: StoredRegistry, policy: NetworkPolicy) -> dict[str, Any]:
    """Return the fields; `host` is what references begin with."""
    return {
        "id": registry.id,
        "name": registry.name,
        "url": registry_url(registry.host, policy),
        "host": registry.host,
        "username": registry.username,
        "hasPassword": registry.password is not None,
        "isDefault": registry.is_default,
        "createdBy": registry.created_by,
        "createdTime": rfc3339(registry.created_at),
        "updatedTime": rfc3339(registry.updated_at),
    }
