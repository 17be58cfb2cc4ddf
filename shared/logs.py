"""Structured logs: one JSON object a line (or coloured text for a terminal), with request and import ids."""

import logging
import sys

import structlog

# Chatty at INFO, and nothing that an operator acts on.
_QUIET = ("aiohttp.access", "asyncio", "stamina")
# They call every try to reach RabbitMQ an error, with a traceback; the services say once that it is away, and why.
_SILENT = ("aiormq", "aio_pika")


def set_up_logs(*, level: str, style: str) -> None:
    """Send all logs, also those of libraries, to standard error; `style` is json or console."""
    chain: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*chain, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=chain, processors=_renderers(style)))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _renderers(style: str) -> list[structlog.typing.Processor]:
    drop = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if style == "console":
        return [drop, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return [drop, structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
