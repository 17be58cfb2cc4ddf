"""The JSON of answers about stored source registries, next to the schemas that describe it."""

from collections.abc import Sequence
from typing import Any

from marshmallow import fields

from api_service.registries.stored_registries import SourceRegistry
from api_service.web.answers import AnswerSchema, flag, moment, number, rfc3339, text


class StoredRegistrySchema(AnswerSchema):
    id = number("The registry's id.", required=True)
    name = text("The name for an import's `credentials`.", required=True)
    url = text("Its address.", required=True)
    host = text("The host that references to its images begin with.", required=True)
    username = text("The account; null: anonymous.", required=True, allow_none=True)
    hasPassword = flag("Whether there is a password; the API never returns it.", required=True)
    isDefault = flag("Whether it is the registry of sources that name none.", required=True)
    createdBy = text("The user who stored it.", required=True)
    createdTime = moment("When it was stored.", required=True)
    updatedTime = moment("When it was last changed.", required=True)


class StoredRegistriesSchema(AnswerSchema):
    totalCount = number("The number of stored registries.", required=True)
    registries = fields.List(fields.Nested(StoredRegistrySchema), required=True)


def registry_json(source: SourceRegistry) -> dict[str, Any]:
    """Return a registry without its password."""
    stored = source.stored
    return {
        "id": stored.id,
        "name": stored.name,
        "url": source.url,
        "host": stored.host,
        "username": stored.username,
        "hasPassword": stored.password is not None,
        "isDefault": stored.is_default,
        "createdBy": stored.created_by,
        "createdTime": rfc3339(stored.created_at),
        "updatedTime": rfc3339(stored.updated_at),
    }


def registries_json(sources: Sequence[SourceRegistry]) -> dict[str, Any]:
    """Return the body of GET /image-registries."""
    return {"totalCount": len(sources), "registries": [registry_json(source) for source in sources]}
