"""The API service's settings. Only this module and `auth.oidc_settings` read the environment."""

from dataclasses import dataclass, field
from ipaddress import ip_network

from environs import FileAwareEnv
from marshmallow import ValidationError, validate

from api_service.audit.address import Network
from api_service.audit.write_events import KEPT_DAYS
from api_service.auth.oidc_settings import OidcSettings, read_oidc
from api_service.imports.retry_policy import RetryPolicy
from api_service.imports.source.docker import DockerPolicy
from api_service.tokens.api_tokens import MAX_DAYS
from shared.oci.reference import Reference, normal_registry
from shared.runtime.secret_box import SecretBox
from shared.settings import SharedSettings, read_shared, reading_environment

MAX_PORT = 65_535
# A worker reports about once a second: with a shorter lease, one late report would lose it. Seconds.
MIN_LEASE = 3
# With a longer lease, the imports of a lost worker would make no progress for too long. Seconds.
MAX_LEASE = 3_600
MAX_FAILURES = 100
MAX_RETRY_BASE = 3_600
# A day of trying: Docker Hub's limits end after six hours, and an outage of a night ends before it. Seconds.
DEFAULT_DEADLINE = 86_400.0
# Ten times what a company's largest mirror asks for in one night, and a claim costs no more with it. Imports.
DEFAULT_MAX_OPEN = 10_000
# More than any installation imports in a day. Imports.
MAX_OPEN_IMPORTS = 1_000_000
# A month: an import that has not ended by then will not. Seconds.
MAX_DEADLINE = 30 * 86_400
# How long a stopping instance goes on serving, so that load balancers learn of the stop: Kubernetes takes a second or
# two, a proxy that polls /readyz every few seconds takes longer. Seconds.
DEFAULT_DRAIN = 5.0
MAX_DRAIN = 300
# Ten years: longer than any rule that a company has to keep its records by. Days.
MAX_AUDIT_DAYS = 3_653
# A quarter: a forgotten token ends by itself, and pipelines are not renewed all the time. Days.
DEFAULT_TOKEN_DAYS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of `longshore-api serve`. The repr omits the secrets.

    `secrets` encrypts the accounts that the database holds; workers have no key of it.
    `target_name` is the target's public host, shown as `registryHost`. `drop_host_for` are the registries whose host
    is omitted from an image's name in the target. `lease` is in seconds. Without `oidc`, the API accepts API tokens
    only. `docker_source` says which users may import from the workers' Docker Engine. `referrers` is the default for
    requests that do not say whether to import referrers. Without `metrics_port`, metrics are not served. `drain` is
    the time for which a stopping instance goes on serving, in seconds. `token_days` is the default lifetime of API
    tokens, and the longest of those that users create for themselves. Events of the audit log are kept for
    `audit_days`. An import that is open `deadline` seconds after its first attempt began fails. `trusted_proxies` are
    the proxies whose X-Forwarded-For is believed. Of each user, `max_open_imports` may be queued, running or waiting.
    """

    shared: SharedSettings
    secrets: SecretBox = field(repr=False)
    host: str
    port: int
    default_project: str
    target_name: str
    drop_host_for: frozenset[str]
    lease: float
    retries: RetryPolicy
    oidc: OidcSettings | None = None
    docker_source: DockerPolicy = DockerPolicy.OFF
    referrers: bool = True
    metrics_port: int | None = None
    token_days: int = DEFAULT_TOKEN_DAYS
    drain: float = DEFAULT_DRAIN
    audit_days: int = KEPT_DAYS
    deadline: float = DEFAULT_DEADLINE
    trusted_proxies: tuple[Network, ...] = ()
    max_open_imports: int = DEFAULT_MAX_OPEN


def read_settings() -> Settings:
    """Read all settings; raises SettingsError with a line for each mistake."""
    with reading_environment() as env:
        return settings_from(env)


def settings_from(env: FileAwareEnv) -> Settings:
    """Read all settings with an open reader."""
    shared = read_shared(env)
    return Settings(
        shared=shared,
        secrets=env.fernet_keys("SECRET_KEYS"),
        host=env.str("API_HOST", "127.0.0.1"),
        port=env.int("API_PORT", 8080, validate=validate.Range(0, MAX_PORT)),
        default_project=env.str("DEFAULT_PROJECT", "imports", validate=_project),
        target_name=env.str("TARGET_NAME", shared.target.host or "", validate=_registry),
        drop_host_for=_read_dropped(env),
        lease=env.float("LEASE_SECONDS", 30, validate=validate.Range(MIN_LEASE, MAX_LEASE)),
        retries=_read_retries(env),
        oidc=read_oidc(env, shared.source_network),
        docker_source=env.enum("DOCKER_SOURCE", DockerPolicy.OFF, enum=DockerPolicy, by_value=True),
        referrers=env.bool("IMPORT_REFERRERS", default=True),
        metrics_port=env.int("METRICS_PORT", None, validate=validate.Range(1, MAX_PORT)),
        token_days=_read_token_days(env),
        drain=env.float("DRAIN_SECONDS", DEFAULT_DRAIN, validate=validate.Range(0, MAX_DRAIN)),
        audit_days=env.int("AUDIT_DAYS", KEPT_DAYS, validate=validate.Range(1, MAX_AUDIT_DAYS)),
        deadline=env.float("IMPORT_DEADLINE_SECONDS", DEFAULT_DEADLINE, validate=validate.Range(1, MAX_DEADLINE)),
        trusted_proxies=_read_proxies(env),
        max_open_imports=env.int(
            "MAX_OPEN_IMPORTS_PER_USER", DEFAULT_MAX_OPEN, validate=validate.Range(1, MAX_OPEN_IMPORTS)
        ),
    )


def read_database_url() -> str:
    """Read the setting that commands other than `serve` need; raises SettingsError."""
    with reading_environment() as env:
        url: str = env.str("DATABASE_URL")
    return url


def read_token_days() -> int:
    """Read API_TOKEN_DAYS; raises SettingsError."""
    with reading_environment() as env:
        return _read_token_days(env)


def read_oidc_issuer() -> str:
    """Read OIDC_ISSUER; '' if there is none. Raises SettingsError."""
    with reading_environment() as env:
        issuer: str = env.str("OIDC_ISSUER", "")
    return issuer


def read_database_urls() -> tuple[str, str]:
    """Read the settings of `migrate`: the API's database, and the workers' URL of it, which may be empty."""
    with reading_environment() as env:
        return env.str("DATABASE_URL"), migration_settings_from(env)


def migration_settings_from(env: FileAwareEnv) -> str:
    """Read the setting that `migrate` alone has, with an open reader."""
    url: str = env.str("WORKER_DATABASE_URL", "")
    return url


def read_secret_box() -> SecretBox:
    """Read SECRET_KEYS; raises SettingsError."""
    with reading_environment() as env:
        secrets: SecretBox = env.fernet_keys("SECRET_KEYS")
    return secrets


def _read_token_days(env: FileAwareEnv) -> int:
    days: int = env.int("API_TOKEN_DAYS", DEFAULT_TOKEN_DAYS, validate=validate.Range(1, MAX_DAYS))
    return days


def _read_dropped(env: FileAwareEnv) -> frozenset[str]:
    hosts: list[str] | None = env.list("DROP_HOST_FOR", [], validate=_registries)
    return frozenset(map(_normal, hosts or ()))


def _read_proxies(env: FileAwareEnv) -> tuple[Network, ...]:
    networks: list[str] | None = env.list("TRUSTED_PROXIES", [], validate=_networks)
    return tuple(map(_network, networks or ()))


def _read_retries(env: FileAwareEnv) -> RetryPolicy:
    return RetryPolicy(
        max_failures=env.int("MAX_FAILURES", 5, validate=validate.Range(1, MAX_FAILURES)),
        base=env.float("RETRY_BASE_SECONDS", 5, validate=validate.Range(0, MAX_RETRY_BASE)),
    )


def _project(name: str) -> None:
    try:
        Reference.parse(f"registry.invalid/{name}/image")
    except ValueError as error:
        raise ValidationError(str(error)) from None
    if "/" in name:
        raise ValidationError("a project's name has no '/'")


def _registry(host: str) -> None:
    if host:
        _normal(host)


def _registries(hosts: list[str]) -> None:
    for host in hosts:
        _normal(host)


def _networks(texts: list[str]) -> None:
    for text in texts:
        _network(text)


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def _normal(host: str) -> str:
    try:
        return normal_registry(host)
    except ValueError as error:
        raise ValidationError(str(error)) from None
