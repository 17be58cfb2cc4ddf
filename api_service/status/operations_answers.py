"""The form of the answer about the service's own work."""

from marshmallow import fields, validate

from api_service.web.openapi.answer_fields import AnswerSchema, flag, number, text


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
        "Workers that would take one more, the busy ones among them; null while RabbitMQ is away.",
        required=True,
        allow_none=True,
    )
    byName = fields.List(
        fields.Nested(BusyWorkerSchema),
        required=True,
        metadata={"description": "The busy ones; those with most imports, where there are many."},
    )


class BrokerSchema(AnswerSchema):
    connected = flag("Whether this instance is connected to RabbitMQ.", required=True)
    messages = number("Wake-ups in the queue, some seconds ago; null while it is away.", required=True, allow_none=True)


class ThrottledRegistrySchema(AnswerSchema):
    host = text("The registry.", required=True)
    scope = text("What the limit holds: all requests, manifests, or the beginning of imports.", required=True)
    resumesInSeconds = number("Until it ends.", required=True)
    share = fields.Float(
        required=True,
        validate=validate.Range(0, 1),
        metadata={"description": "What part of the usual is done at a time after it."},
    )


class OperationsSchema(AnswerSchema):
    imports = fields.Nested(OpenImportsSchema, required=True)
    due = number("Open imports that wait for nothing but a worker.", required=True)
    oldestDueSeconds = number("How long the oldest of them has waited.", required=True)
    leasesExpired = number("Running imports whose worker is silent.", required=True)
    outboxPending = number("Wake-ups that are due and not in RabbitMQ yet.", required=True)
    outboxLagSeconds = number("How long the oldest of them has been due.", required=True)
    workers = fields.Nested(WorkersSchema, required=True)
    broker = fields.Nested(BrokerSchema, required=True)
    throttledRegistries = fields.List(
        fields.Nested(ThrottledRegistrySchema),
        required=True,
        metadata={"description": "Registries whose rate limit holds, those first that hold longest."},
    )
