"""Structured logs: one JSON object per line (or coloured text for a terminal), with request and import ids."""

import logging
import sys

import structlog

# The header that carries a request's id between clients and services.
REQUEST_ID_HEADER = "X-Request-ID"
# Verbose at INFO, without anything that an operator acts on.
_QUIET = ("aiohttp.access", "asyncio", "stamina")
# They log every failed attempt to reach RabbitMQ as an error with a traceback; the services log the outage once.
_SILENT = ("aiormq", "aio_pika")


class _Lines(structlog.WriteLogger):
    """Writes our own lines directly to standard error: through `logging`, a line takes three times as long."""

    def __init__(self, name: str = "") -> None:
        super().__init__(sys.stderr)
        self.name = name


class _NoRequestText(logging.Filter):
    """Leaves out the part of an invalid HTTP request that aiohttp quotes: it may be a header with a token."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if type(error).__module__ == "aiohttp.http_exceptions":
            record.msg = f"Invalid HTTP request from %s: {type(error).__name__}"
            record.exc_info = None
        return True


def set_up_logs(*, level: str, style: str) -> None:
    """Send all logs, including those of libraries, to standard error; `style` is json or console."""
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
    logging.getLogger("aiohttp.server").addFilter(_NoRequestText())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def request_id() -> str | None:
    """Return the id of the request that this task serves, as its log lines show it."""
    return structlog.contextvars.get_contextvars().get("request_id")


def _renderers(style: str) -> list[structlog.typing.Processor]:
    """Return renderers whose tracebacks omit the frames' variables, which both show by default: some are secrets."""
    if style == "console":
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer()]
