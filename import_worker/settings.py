"""The worker's settings. The only module here that reads the environment."""

import os
import socket
from dataclasses import dataclass, field

from environs import FileAwareEnv
from marshmallow import validate

from import_worker.engine.compression import Compression
from shared.settings import SharedSettings, read_shared, reading_environment

# Blobs at a time from one registry and to one: more connections only load the registry without gaining speed.
DEFAULT_HOST_STREAMS = 16
# One user's imports may fill all other slots for hours; the next user waits for none of them. Slots.
DEFAULT_RESERVED_SLOTS = 1
DOCKER_HOST = r"unix:///.+|tcp://[^/@]+:[0-9]+"
DOCKER_HOST_FORM = "It is not of the form unix:///path or tcp://host:port."


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """The settings of one worker process. `lease` and `stop_grace` are in seconds.

    `host_streams` is the number of blobs at once from one registry, and to one, over all imports.
    `reserved_slots` are those beside `slots` for users who have no import running, in any worker.
    `most_running` is the number of imports of one user that run at once, in all workers; None for no limit.
    `docker_host` is the engine of `docker-daemon:` sources; None if there is none.
    """

    shared: SharedSettings
    api_url: str
    api_token: str = field(repr=False)
    slots: int
    layers: int
    host_streams: int = DEFAULT_HOST_STREAMS
    lease: float
    name: str
    health_port: int | None
    stop_grace: float
    docker_host: str | None = None
    compression: Compression = Compression.GZIP
    most_running: int | None = None
    reserved_slots: int = DEFAULT_RESERVED_SLOTS


def read_settings() -> WorkerSettings:
    """Read the environment; raises SettingsError with a line for each mistake."""
    with reading_environment() as env:
        return settings_from(env)


def settings_from(env: FileAwareEnv) -> WorkerSettings:
    """Read everything from an open reader."""
    few = validate.Range(1, 64)
    return WorkerSettings(
        shared=read_shared(env),
        api_url=env.http_url("API_URL"),
        api_token=env.str("WORKER_TOKEN", validate=validate.Length(min=1, error="It is empty.")),
        slots=env.int("WORKER_SLOTS", 2, validate=few),
        layers=env.int("WORKER_LAYERS", 4, validate=few),
        host_streams=env.int("WORKER_HOST_STREAMS", DEFAULT_HOST_STREAMS, validate=validate.Range(1, 256)),
        lease=env.float("LEASE_SECONDS", 30.0, validate=validate.Range(3, 3600)),
        name=env.str("WORKER_NAME", f"{socket.gethostname()}-{os.getpid()}"),
        health_port=env.int("WORKER_HEALTH_PORT", None, validate=validate.Range(1, 65535)),
        stop_grace=env.float("STOP_GRACE_SECONDS", 5.0, validate=validate.Range(0, 3600)),
        docker_host=env.str("DOCKER_HOST", None, validate=validate.Regexp(DOCKER_HOST, error=DOCKER_HOST_FORM)),
        compression=env.enum("WORKER_COMPRESSION", Compression.GZIP, enum=Compression, by_value=True),
        reserved_slots=env.int("WORKER_RESERVED_SLOTS", DEFAULT_RESERVED_SLOTS, validate=validate.Range(0, 64)),
        most_running=env.int("MAX_RUNNING_PER_USER", None, validate=validate.Range(1, 10_000)),
    )
