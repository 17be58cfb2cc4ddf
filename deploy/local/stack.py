"""The names of the local stack, in one place."""

from deploy.local.postgres import Postgres
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.registry import BasicAuth, Registry, Tls, TokenAuth
from deploy.local.scratch import LocalStackError, Process, Scratch

__all__ = [
    "BasicAuth",
    "LocalStackError",
    "Postgres",
    "Process",
    "RabbitMQ",
    "Registry",
    "Scratch",
    "Tls",
    "TokenAuth",
]
