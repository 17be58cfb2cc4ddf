"""The queue's wake-up message: asks a worker to look at one import."""

from dataclasses import dataclass
from typing import Any

from marshmallow import fields, post_load

from shared.messages.versioned import VERSION, Versioned, without_none


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeUp:
    """Asks a worker to look at the import `import_name`; all other fields are for people who read the queue.

    `traceparent` is sent as a header, and names the trace that the wake-up belongs to.
    """

    import_name: str
    reason: str
    attempt: int
    source: str
    target: str
    requested_by: str
    traceparent: str | None = None


class WakeUpSchema(Versioned):
    import_name = fields.String(data_key="import", required=True)
    reason = fields.String(required=True)
    attempt = fields.Integer(strict=True, required=True)
    source = fields.String(required=True)
    target = fields.String(required=True)
    requested_by = fields.String(data_key="requestedBy", required=True)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> WakeUp:
        del data["version"]
        return WakeUp(**data)


# Created once: creating a schema costs more than dumping a message.
_WAKE_UP = WakeUpSchema()


def dump_wake_up(message: WakeUp) -> dict[str, Any]:
    """Return the message as the JSON object for the queue."""
    return {"version": VERSION, **without_none(_WAKE_UP.dump(message))}
