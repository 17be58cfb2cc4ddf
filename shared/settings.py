"""The settings that both services read from the environment, and the reader that reports all mistakes at once.

Settings have no prefix: `TARGET_URL`, `AMQP_URL` and the others are read as they are. `NAME_FILE` may name a file
instead. Each mistake is reported by its setting's name.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from environs import EnvError, EnvValidationError, FileAwareEnv
from marshmallow import ValidationError, validate

from shared.model.credential import Credential
from shared.model.integers import MAX_INT64
from shared.network.policy import NetworkPolicy
from shared.oci.reference import normal_registry
from shared.planning.budget import DEFAULT_BLOB_BYTES, DEFAULT_IMAGE_BYTES, DEFAULT_LIMITS, PlanLimits
from shared.runtime.secret_box import SecretBox
from shared.target.settings import TargetKind, TargetSettings
from shared.tracing.settings import read_tracing


class SettingsError(Exception):
    """The environment has mistakes, and the service cannot start; the text has a line for each mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSettings:
    """The settings that the API and the workers share. The repr omits the secrets."""

    database_url: str = field(repr=False)
    amqp_url: str = field(repr=False)
    target: TargetSettings
    source_network: NetworkPolicy
    target_network: NetworkPolicy
    log_style: str
    log_level: str
    tracing: bool = False
    plan_limits: PlanLimits = DEFAULT_LIMITS


@contextmanager
def reading_environment() -> Iterator[FileAwareEnv]:
    """Lend a reader of the environment; `NAME_FILE` may name a file that contains the value of NAME.

    Inside the block, an invalid value reads as None; at its end, one SettingsError reports every mistake.
    """
    env = FileAwareEnv(eager=False, strip_whitespace=True)
    env.add_parser("fernet_keys", _collected(_secret_box))
    env.add_parser("registry_url", _collected(_registry_url))
    env.add_parser("http_url", _collected(_http_url))
    try:
        yield env
        env.seal()
    except EnvValidationError as error:
        raise SettingsError(_lines(error)) from None
    except (EnvError, ValueError) as error:
        raise SettingsError(str(error)) from None


def read_shared(env: FileAwareEnv) -> SharedSettings:
    """Read the settings that both services need."""
    plain, host = env.registry_url("TARGET_URL") or (False, "")
    username, password = env.str("TARGET_USERNAME", ""), env.str("TARGET_PASSWORD", "")
    ca_files: dict[str, str] = env.dict("CA_FILES", {})
    realms: dict[str, str] = env.dict("TOKEN_REALMS", {})
    return SharedSettings(
        database_url=env.str("DATABASE_URL"),
        amqp_url=env.str("AMQP_URL"),
        target=TargetSettings(
            host=host, credential=Credential(username, password) if username else None, kind=_kind(env)
        ),
        source_network=NetworkPolicy.of(
            allowed_private=env.list("ALLOWED_PRIVATE", []),
            plain_http=env.list("PLAIN_HTTP_HOSTS", []),
            ca_files=ca_files,
            token_realms=realms,
        ),
        # The operator names the target, so its address is trusted.
        target_network=NetworkPolicy.of(
            plain_http=[host] if plain else [], ca_files=ca_files, token_realms=realms, trusted=True
        ),
        log_style=env.str("LOG_FORMAT", "json", validate=validate.OneOf(("json", "console"))),
        log_level=env.str("LOG_LEVEL", "INFO", validate=validate.OneOf(("DEBUG", "INFO", "WARNING", "ERROR"))),
        tracing=read_tracing(env),
        plan_limits=_plan_limits(env),
    )


def _plan_limits(env: FileAwareEnv) -> PlanLimits:
    size = validate.Range(1, MAX_INT64)
    return PlanLimits(
        image_bytes=env.int("MAX_IMAGE_BYTES", DEFAULT_IMAGE_BYTES, validate=size),
        blob_bytes=env.int("MAX_BLOB_BYTES", DEFAULT_BLOB_BYTES, validate=size),
    )


def _kind(env: FileAwareEnv) -> TargetKind:
    kinds = [kind.value for kind in TargetKind]
    # None where it is invalid, which is reported at the end.
    return TargetKind(env.str("TARGET_KIND", "registry", validate=validate.OneOf(kinds)) or TargetKind.REGISTRY)


def _lines(error: EnvValidationError) -> str:
    messages = error.error_messages
    by_name = messages if isinstance(messages, dict) else {"environment": messages}
    return "\n".join(f"{name}: {' '.join(map(str, texts))}" for name, texts in by_name.items())


def _collected(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Translate ValueError into the exception that the reader collects until the end."""

    def parser(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise ValidationError(str(error)) from None

    return parser


def _secret_box(text: str) -> SecretBox:
    return SecretBox([key.strip() for key in text.split(",")])


def _registry_url(text: str) -> tuple[bool, str]:
    """Return whether the registry uses plain http, and its host."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or parts.path.strip("/") or parts.query or parts.username:
        raise ValueError("not of the form http(s)://host[:port]")
    return parts.scheme == "http", normal_registry(parts.netloc)


def _http_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not of the form http(s)://host[:port]")
    return text.rstrip("/")
