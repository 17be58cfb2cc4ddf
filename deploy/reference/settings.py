"""The settings of both services, recorded while the services' own code reads them."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from deploy.reference.setting import Setting
from shared.settings import reading_environment

# The required settings. The values are examples; nothing connects to them.
_NEEDED = {
    "DATABASE_URL": "postgresql://longshore@database.invalid/longshore",
    "AMQP_URL": "amqp://longshore@broker.invalid/",
    "TARGET_URL": "https://target.invalid",
    "SECRET_KEYS": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "API_URL": "https://api.invalid",
    "WORKER_TOKEN": "lsh_example",
}
# Settings without which others are not read, each with values that make the service read those.
_SWITCHES: Mapping[str, Mapping[str, str]] = {
    "OIDC_ISSUER": {"OIDC_ISSUER": "https://issuer.invalid", "OIDC_AUDIENCE": "longshore"},
    "OTEL_TRACES_EXPORTER": {"OTEL_TRACES_EXPORTER": "otlp"},
}

Read = Callable[[Any], object]


class Recorder:
    """Reads like the environment's reader, and records each setting."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.noted: dict[str, Setting] = {}

    def __getattr__(self, form: str) -> Callable[..., Any]:
        read = getattr(self._reader, form)

        def recorded(name: str, *default: Any, **options: Any) -> Any:
            given = default[0] if default else options.get("default", ...)
            self.noted[name] = Setting(
                name=name, form=form, default=given, check=options.get("validate"), choices=options.get("enum")
            )
            return read(name, *default, **options)

        return recorded


def setting_facts(services: Mapping[str, Read]) -> dict[str, Sequence[str]]:
    """Return the lines about each setting; `services` are the functions that read the settings, by service."""
    facts: dict[str, Sequence[str]] = {}
    for switch, values in ("", {}), *_SWITCHES.items():
        noted = {service: _noted(read, {**_NEEDED, **values}) for service, read in services.items()}
        for name, setting in {name: setting for found in noted.values() for name, setting in found.items()}.items():
            users = " and ".join(service for service, found in noted.items() if name in found)
            condition = f", where `{switch}` is set" if switch else ""
            facts.setdefault(name, [f"{users[0].upper()}{users[1:]}{condition}: {setting.described()}"])
    return facts


def _noted(read: Read, values: Mapping[str, str]) -> dict[str, Setting]:
    with _environment(values), reading_environment() as reader:
        recorder = Recorder(reader)
        read(recorder)
    return recorder.noted


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Replace the environment of this process."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
