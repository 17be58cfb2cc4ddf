"""Structured logs: one JSON object a line (or coloured text for a terminal), with request and import ids."""

import logging
import sys

import structlog

# By which clients and services name a request to each other.
REQUEST_ID_HEADER = "X-Request-ID"
# Chatty at INFO, and nothing that an operator acts on.
_QUIET = ("aiohttp.access", "asyncio", "stamina")
# They call every try to reach RabbitMQ an error, with a traceback; the services say once that it is away, and why.
_SILENT = ("aiormq", "aio_pika")


class _Lines(structlog.WriteLogger):
    """Takes our own lines to standard error, past logging, where a line takes three times as long."""

    def __init__(self, name: str = "") -> None:
        super().__init__(sys.stderr)
        self.name = name


def set_up_logs(*, level: str, style: str) -> None:
    """Send all logs, also those of libraries, to standard error; `style` is json or console."""
    chain: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderers = _renderers(style)
    structlog.configure(
        processors=[*chain, *renderers],
        logger_factory=_Lines,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    drop = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=chain, processors=[drop, *renderers]))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def request_id() -> str | None:
    """Return the id of the request that this task works for, as its log lines have it."""
    return structlog.contextvars.get_contextvars().get("request_id")


def _renderers(style: str) -> list[structlog.typing.Processor]:
    """Render tracebacks without the frames' variables, which both renderers show by themselves: some are secrets."""
    if style == "console":
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer()]
