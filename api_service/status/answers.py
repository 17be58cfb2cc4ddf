"""The JSON of answers about the service and the target, next to the schemas that describe it."""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from api_service.auth.identity import Identity
from api_service.background.broker import QueueDepth
from api_service.status.queue_status import OperationsReport
from api_service.status.target_statistics import Scope, StatisticsReport, TargetFigures
from api_service.web.answers import AnswerSchema, choice, flag, moment, number, rfc3339, text
from shared.db.queue_status import BusyWorkers, HeldRegistry
from shared.model.roles import Role
from shared.runtime.readiness import State

PARTIAL_VIEW = (
    "The target's account is no system administrator: projects and images are those that it may see, and totalSize "
    "adds up the images that Longshore manages."
)
STORAGE_NOT_REPORTED = "This target does not report its storage: totalSize adds up the images that Longshore manages."
NO_FIGURES = "A plain registry has no figures of its own: all of these are of the images that Longshore manages."


class AliveSchema(AnswerSchema):
    status = choice(("ok",), "The process answers.", required=True)


class PartSchema(AnswerSchema):
    ready = flag("Whether it works.", required=True)
    detail = text("Why it does not.")


class ReadinessSchema(AnswerSchema):
    status = choice(tuple(State), "The state of the instance.", required=True)
    parts = fields.Dict(fields.String(), fields.Nested(PartSchema), required=True)


class IdentitySchema(AnswerSchema):
    userName = text("The user's name, for display.", required=True)
    role = choice(Role, "The token's role.", required=True)
    issuer = text("The issuer of the user's identity; empty: only API tokens name the user.", required=True)
    subject = text("The user's identity at the issuer, which owns the user's images.", required=True)
    groups = fields.List(
        fields.String(), required=True, metadata={"description": "The groups that import rules can name."}
    )
    tokenId = number("The API token's id; null: a token of the identity provider.", required=True, allow_none=True)
    expiresTime = moment("The token's end; null: it does not expire.", required=True, allow_none=True)


def identity_json(identity: Identity) -> dict[str, Any]:
    """Return the body of GET /whoami."""
    return {
        "userName": identity.user,
        "role": identity.role.value,
        "issuer": identity.owner.issuer,
        "subject": identity.owner.subject,
        "groups": sorted(identity.groups),
        "tokenId": identity.token_id,
        "expiresTime": rfc3339(identity.expires_at) if identity.expires_at else None,
    }


class OpenImportsSchema(AnswerSchema):
    queued = number("Accepted, and not begun.", required=True)
    running = number("Carried out by a worker.", required=True)
    waiting = number("Between two attempts.", required=True)


class BusyWorkerSchema(AnswerSchema):
    name = text("The worker's name.", required=True)
    imports = number("The imports that it carries out.", required=True)


class WorkersSchema(AnswerSchema):
    busy = number("Workers that carry out imports.", required=True)
    withRoom = number(
        "Workers with a free slot, the busy ones among them; null while RabbitMQ is unreachable.",
        required=True,
        allow_none=True,
    )
    byName = fields.List(
        fields.Nested(BusyWorkerSchema),
        required=True,
        metadata={"description": "The busy workers, those with most imports first; at most 50."},
    )


class BrokerSchema(AnswerSchema):
    connected = flag("Whether this instance is connected to RabbitMQ.", required=True)
    messages = number(
        "Wake-ups in the queue, some seconds ago; null while RabbitMQ is unreachable.", required=True, allow_none=True
    )


class ThrottledRegistrySchema(AnswerSchema):
    host = text("The registry.", required=True)
    scope = text("The requests that the limit delays: all, manifests, or the start of imports.", required=True)
    resumesInSeconds = number("Seconds until the limit ends.", required=True)
    share = fields.Float(
        required=True,
        validate=validate.Range(0, 1),
        metadata={"description": "The part of the usual concurrency that is allowed after the limit ends."},
    )


class OperationsSchema(AnswerSchema):
    imports = fields.Nested(OpenImportsSchema, required=True)
    due = number("Open imports that wait for nothing but a worker.", required=True)
    oldestDueSeconds = number("Seconds that the oldest of them has waited.", required=True)
    leasesExpired = number("Running imports whose worker no longer reports.", required=True)
    outboxPending = number("Wake-ups that are due and not yet in RabbitMQ.", required=True)
    outboxLagSeconds = number("Seconds that the oldest of them has been due.", required=True)
    workers = fields.Nested(WorkersSchema, required=True)
    broker = fields.Nested(BrokerSchema, required=True)
    throttledRegistries = fields.List(
        fields.Nested(ThrottledRegistrySchema),
        required=True,
        metadata={"description": "Registries with a rate limit in force, the longest first."},
    )


def operations_json(report: OperationsReport) -> dict[str, Any]:
    """Return the body of GET /operations."""
    queue = report.queue
    return {
        "imports": {state.value: number for state, number in queue.imports.items()},
        "due": queue.due,
        "oldestDueSeconds": round(queue.oldest_due),
        "leasesExpired": queue.expired,
        "outboxPending": queue.unpublished,
        "outboxLagSeconds": round(queue.outbox_lag),
        "workers": _workers(report.workers, report.broker),
        "broker": {
            "connected": report.broker is not None,
            "messages": report.broker.messages if report.broker else None,
        },
        "throttledRegistries": [_throttled(held) for held in queue.held],
    }


def _workers(busy: BusyWorkers, broker: QueueDepth | None) -> Mapping[str, Any]:
    """Return the workers; a busy worker with a free slot is a consumer in RabbitMQ as well, so both figures have it."""
    return {
        "busy": busy.total,
        "withRoom": broker.consumers if broker else None,
        "byName": [{"name": worker.name, "imports": worker.imports} for worker in busy.first],
    }


def _throttled(held: HeldRegistry) -> Mapping[str, Any]:
    return {"host": held.host, "scope": held.scope, "resumesInSeconds": round(held.resumes_in), "share": held.share}


class StatisticsSchema(AnswerSchema):
    totalProjects = number("Projects.", required=True)
    totalImages = number("Artifacts, including those that Longshore did not push.", required=True)
    totalSize = number("Bytes of storage.", required=True)
    scope = choice(
        Scope, "What the counts cover: the whole target, what its account may see, or what Longshore manages."
    )
    storageVisible = flag("Whether the target reports its storage; else the managed images' sizes are added up.")
    asOf = moment("When the target reported the figures.")
    ageSeconds = number("Seconds since then.")
    message = text("The limits of the figures.", allow_none=True)


def statistics_json(report: StatisticsReport) -> dict[str, Any]:
    """Return the body of GET /harbor/stats: the contract's fields and our own."""
    figures = report.figures
    stale = f"The target did not answer, these are its last figures: {report.trouble}" if report.trouble else None
    return {
        "totalProjects": figures.projects,
        "totalImages": figures.images,
        "totalSize": figures.size,
        "scope": figures.scope.value,
        "storageVisible": figures.storage_visible,
        "asOf": rfc3339(figures.as_of),
        "ageSeconds": int(report.age),
        "message": " ".join(filter(None, (stale, _limits(figures)))) or None,
    }


def _limits(figures: TargetFigures) -> str | None:
    match figures.scope:
        case Scope.MANAGED:
            return NO_FIGURES
        case Scope.VISIBLE:
            return PARTIAL_VIEW
        case Scope.TARGET:
            return None if figures.storage_visible else STORAGE_NOT_REPORTED
