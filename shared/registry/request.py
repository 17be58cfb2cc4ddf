"""A request to a registry: an HTTP request with the resource it is about and the token scopes it needs."""

from dataclasses import dataclass
from enum import StrEnum

from shared.http_client.request import Request
from shared.oci.manifest import MAX_MANIFEST_SIZE
from shared.registry.scopes import Scopes

NO_SCOPES = Scopes()


class Resource(StrEnum):
    """The kind of resource that a request is about; the same status means something different for each."""

    REGISTRY = "registry"
    MANIFEST = "manifest"
    PUSHED_MANIFEST = "pushed_manifest"
    BLOB = "blob"
    UPLOAD = "upload"
    TOKEN = "token"  # noqa: S105 - a kind of resource, not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryRequest(Request):
    """One step of the distribution specification; its response is at most as large as a manifest by default."""

    resource: Resource
    scopes: Scopes = NO_SCOPES
    limit: int = MAX_MANIFEST_SIZE
