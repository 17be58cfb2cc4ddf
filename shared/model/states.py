"""The states of an import and the transitions between them: the one table that code and SQL follow."""

from enum import StrEnum


class ImportState(StrEnum):
    """The state of an import."""

    QUEUED = "queued"
    """Accepted; a message in RabbitMQ, or an outbox row on its way there, will wake a worker."""
    RUNNING = "running"
    """Claimed by one worker, as long as the worker renews its lease."""
    WAITING = "waiting"
    """Between two attempts, until its due time: after a transient error or a rate limit."""
    READY = "ready"
    """The target serves the image under its tag, confirmed by digest."""
    FAILED = "failed"
    """Ended with an error that has a hint; the same request starts a new import."""
    CANCELLED = "cancelled"
    """Stopped by a user, or because its image was deleted."""


OPEN_STATES = frozenset({ImportState.QUEUED, ImportState.RUNNING, ImportState.WAITING})
FINAL_STATES = frozenset(ImportState) - OPEN_STATES

# From each state, the states that may follow. `imports_check_transition()` in the migrations enforces the same pairs
# in PostgreSQL; a test compares the two.
TRANSITIONS: dict[ImportState, frozenset[ImportState]] = {
    ImportState.QUEUED: frozenset({ImportState.RUNNING, ImportState.FAILED, ImportState.CANCELLED}),
    ImportState.RUNNING: frozenset(ImportState) - {ImportState.RUNNING},
    ImportState.WAITING: frozenset({ImportState.RUNNING, ImportState.FAILED, ImportState.CANCELLED}),
    ImportState.READY: frozenset(),
    ImportState.FAILED: frozenset(),
    ImportState.CANCELLED: frozenset(),
}


class ImageStatus(StrEnum):
    """The status of an image, with the contract's values."""

    READY = "ready"
    IMPORTING = "importing"
    FAILED = "failed"


def outer_status(state: ImportState) -> ImageStatus:
    """Return the contract's status for an import's state; a cancelled import counts as failed."""
    if state is ImportState.READY:
        return ImageStatus.READY
    return ImageStatus.IMPORTING if state in OPEN_STATES else ImageStatus.FAILED
