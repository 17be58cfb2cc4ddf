"""The queue's wake-up message: a worker is to look at one import."""

from dataclasses import dataclass
from typing import Any

from marshmallow import fields, post_load

from shared.messages.versioned import VERSION, Versioned, without_none


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeUp:
    """Tells a worker to look at one import; all else in it is for people who read the queue.

    `traceparent` travels as a header, and says whose trace the wake-up belongs to.
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


# Made once: making a schema costs more than a message does.
_WAKE_UP = WakeUpSchema()


def dump_wake_up(message: WakeUp) -> dict[str, Any]:
    """Return the message as the JSON object that goes into the queue."""
    return {"version": VERSION, **without_none(_WAKE_UP.dump(message))}
