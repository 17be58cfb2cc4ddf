"""/metrics: the metrics, their port, and the data that they must not contain."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api_service.background.reaper import reap
from api_service.imports.retry_policy import RetryPolicy
from api_service.metrics import exposition
from api_service.parts import PARTS, metrics_part, readiness_part, relay_part
from api_service.settings import Settings
from shared.messages.progress_report import ReportedState
from shared.model.progress import LayerProgress, LayerStatus, Transfer
from tests.api_service.api import BASE, Api
from tests.api_service.conftest import REQUESTS_ONLY, OpenApi
from tests.api_service.imports.reports import CONTENT, A, B, start

# Enough for /metrics; the only background loop is the relay, which finds no RabbitMQ.
WATCHED = (*REQUESTS_ONLY, relay_part, readiness_part, metrics_part)


@dataclass(frozen=True)
class Scraped:
    """Samples by name and labels."""

    text: str
    values: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    def get(self, name: str, **labels: str) -> float | None:
        return self.values.get((name, frozenset(labels.items())))

    def rise(self, before: "Scraped", name: str, **labels: str) -> float:
        """Return the increase of a counter: the process has counted earlier tests, too."""
        return (self.get(name, **labels) or 0) - (before.get(name, **labels) or 0)


@dataclass(frozen=True)
class Watched:
    api: Api
    port: int

    async def scrape(self) -> Scraped:
        url = f"http://127.0.0.1:{self.port}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            assert response.status == 200
            assert response.content_type == "text/plain"
            text = await response.text()
        families = text_string_to_metric_families(text)
        samples = [sample for family in families for sample in family.samples]
        return Scraped(text, {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples})


@asynccontextmanager
async def watch(open_api: OpenApi, settings: Settings, port: int) -> AsyncIterator[Watched]:
    async with open_api(replace(settings, metrics_port=port), WATCHED) as api:
        yield Watched(api, port)


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests scrape more often than Prometheus does."""
    monkeypatch.setattr(exposition, "CACHED_FOR", 0.0)


@pytest.fixture
async def watched(
    open_api: OpenApi, settings: Settings, unused_tcp_port_factory: Callable[[], int]
) -> AsyncIterator[Watched]:
    async with watch(open_api, settings, unused_tcp_port_factory()) as watched:
        yield watched


def layer(size: int, transfer: Transfer) -> LayerProgress:
    return LayerProgress(size=size, offset=size, status=LayerStatus.COMPLETED, transfer=transfer)


async def test_an_import_that_ends_well_is_counted_with_its_bytes(watched: Watched, image_source: str) -> None:
    """A layer counts once, however often it is reported, and only with an accepted report."""
    before = await watched.scrape()
    worker = await start(watched.api, image_source)
    layers = {A: layer(1000, Transfer.COPIED), B: layer(70, Transfer.MOUNTED)}
    await worker.send(layers=layers)
    await worker.send(layers=layers)
    report = worker.make(ReportedState.READY, content=CONTENT, layers=layers)
    for _ in range(2):
        await watched.api.report(worker.name, report)
    after = await watched.scrape()
    assert after.rise(before, "longshore_imports_finished_total", outcome="ready", code="") == 1
    assert after.rise(before, "longshore_import_duration_seconds_count", outcome="ready") == 1
    assert 0 < after.rise(before, "longshore_import_duration_seconds_sum", outcome="ready") < 60
    assert after.rise(before, "longshore_layer_bytes_total", transfer="copied") == 1000
    assert after.rise(before, "longshore_layer_bytes_total", transfer="mounted") == 70
    assert after.rise(before, "longshore_layer_bytes_total", transfer="existing") == 0


async def test_failures_are_counted_by_code_and_retries_apart(watched: Watched, image_source: str) -> None:
    before = await watched.scrape()
    worker = await start(watched.api, image_source)
    await worker.fail("source_unavailable")
    assert (await watched.scrape()).get("longshore_imports_open", state="waiting") == 1
    await worker.due_now()
    await worker.claim_again()
    await worker.fail("target_refused")
    after = await watched.scrape()
    assert after.rise(before, "longshore_import_retries_total", code="source_unavailable") == 1
    assert after.rise(before, "longshore_imports_finished_total", outcome="failed", code="source_unavailable") == 0
    assert after.rise(before, "longshore_imports_finished_total", outcome="failed", code="target_refused") == 1


async def test_a_lost_worker_shows_until_its_import_is_taken_over(watched: Watched, image_source: str) -> None:
    before = await watched.scrape()
    started = await watched.api.start({"source": image_source})
    await watched.api.claim(started["name"], lease=-1)
    lost = await watched.scrape()
    assert (lost.get("longshore_leases_expired"), lost.get("longshore_imports_open", state="running")) == (1, 1)
    await reap(watched.api.queue, RetryPolicy(max_failures=3, base=1))
    after = await watched.scrape()
    assert after.rise(before, "longshore_lease_takeovers_total") == 1
    assert after.rise(before, "longshore_import_handovers_total") == 0
    assert (after.get("longshore_leases_expired"), after.get("longshore_imports_due")) == (0, 1)


async def test_a_cancelled_import_and_one_handed_back_are_counted(watched: Watched, image_source: str) -> None:
    before = await watched.scrape()
    worker = await start(watched.api, image_source)
    await worker.send(ReportedState.HANDED_BACK)
    await watched.api.call("POST", f"{BASE}/images/{worker.image_id}/importing:cancel")
    after = await watched.scrape()
    assert after.rise(before, "longshore_import_handovers_total") == 1
    assert after.rise(before, "longshore_imports_finished_total", outcome="cancelled", code="") == 1


async def test_waiting_imports_are_counted_with_their_age(watched: Watched, image_source: str) -> None:
    """The relay finds no RabbitMQ here. An import that is not due yet does not wait for a worker."""
    await watched.api.start({"source": image_source})
    await watched.api.execute("UPDATE imports SET due_at = now() - interval '10 minutes'")
    await watched.api.execute("UPDATE outbox SET due_at = now() - interval '5 minutes'")
    scraped = await watched.scrape()
    assert (scraped.get("longshore_imports_due"), scraped.get("longshore_outbox_pending")) == (1, 1)
    assert scraped.get("longshore_queue_oldest_seconds") == pytest.approx(600, abs=30)
    assert scraped.get("longshore_outbox_lag_seconds") == pytest.approx(300, abs=30)
    await watched.api.execute("UPDATE imports SET due_at = now() + interval '10 minutes'")
    scraped = await watched.scrape()
    assert (scraped.get("longshore_imports_due"), scraped.get("longshore_queue_oldest_seconds")) == (0, 0)


async def test_registries_that_hold_back_are_named_up_to_a_number(watched: Watched) -> None:
    """Two accounts of one registry are one series, with the longest wait; accounts stay private."""
    await watched.api.execute(
        """
        INSERT INTO registry_limits (host, account, scope, resumes_at, share)
        SELECT 'r' || n || '.example', 'secret-account-' || a, 'pull', now() + make_interval(secs => 100 * n + a), 0.5
        FROM generate_series(1, 30) n, generate_series(1, 2) a
        """
    )
    scraped = await watched.scrape()
    seconds = "longshore_registry_throttled_seconds"
    named = {dict(labels)["registry"] for name, labels in scraped.values if name == seconds}
    assert named == {f"r{number}.example" for number in range(11, 31)}
    assert scraped.get("longshore_registries_throttled") == 30
    left = scraped.get(seconds, registry="r30.example", scope="pull")
    assert left == pytest.approx(3002, abs=30)
    assert "secret-account" not in scraped.text


async def test_requests_are_counted_by_template_and_never_by_what_strangers_send(watched: Watched) -> None:
    before = await watched.scrape()
    await watched.api.call("GET", f"{BASE}/images/4711")
    for method, path in (("GET", "/some-stranger"), ("PROPFIND", f"{BASE}/images")):
        async with watched.api.client.request(method, path) as response:
            assert response.status in {404, 405}
    after = await watched.scrape()
    labels = {"method": "GET", "route": f"{BASE}/images/{{id}}"}
    assert after.rise(before, "longshore_http_requests_total", **labels, status="404") == 1
    assert after.rise(before, "longshore_http_request_duration_seconds_count", **labels) == 1
    for status in ("404", "405"):
        assert after.rise(before, "longshore_http_requests_total", method="(none)", route="(none)", status=status) == 1
    assert "some-stranger" not in after.text
    assert "PROPFIND" not in after.text


async def test_no_metric_names_an_image_a_user_or_a_secret(watched: Watched, image_source: str) -> None:
    worker = await start(watched.api, image_source)
    await worker.fail("target_refused")
    text = (await watched.scrape()).text
    repository = image_source.partition("/")[2].removesuffix(":1.0")
    for secret in (repository, worker.name, 'user"', "guest", "postgresql://", *watched.api.tokens.values()):
        assert secret not in text


async def test_a_database_that_is_away_is_a_figure_and_hides_no_other(
    open_api: OpenApi, settings: Settings, unused_tcp_port_factory: Callable[[], int]
) -> None:
    """Old values would mislead: the database's metrics are missing, counters and parts are served."""
    shared = replace(settings.shared, database_url="postgresql://nobody:x@127.0.0.1:1/none")
    async with watch(open_api, replace(settings, shared=shared), unused_tcp_port_factory()) as watched:
        scraped = await watched.scrape()
    assert [scraped.get("longshore_up", part=part) for part in ("database", "figures", "rabbitmq")] == [0, 0, 0]
    assert scraped.get("longshore_imports_finished_total", outcome="ready", code="") is not None
    assert scraped.get("longshore_imports_due") is None


async def test_many_scrapers_cost_the_database_one_look(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "CACHED_FOR", 60.0)
    first = await watched.scrape()
    await watched.api.execute("UPDATE registry_limits SET share = 1")
    await watched.api.execute(
        "INSERT INTO registry_limits VALUES ('late.example', '', 'pull', now() + interval '1 hour', 1)"
    )
    others = await asyncio.gather(*(watched.scrape() for _ in range(5)))
    assert first.get("longshore_registries_throttled") == 0
    assert [other.get("longshore_registries_throttled") for other in others] == [0] * 5


async def test_the_apis_own_port_has_no_figures(open_api: OpenApi, settings: Settings) -> None:
    """This holds even if the metrics have no port."""
    async with open_api(settings, PARTS) as api:
        answer = await api.call("GET", "/metrics", role=None)
    assert answer.status == 404


async def test_a_claim_has_the_time_since_the_import_was_due(api: Api, image_source: str) -> None:
    """The database's clock measures it from the due time; the worker's histogram of queue time uses it."""
    started = await api.start({"source": image_source})
    await api.execute(
        "UPDATE imports SET created_at = now() - interval '1 day', due_at = now() - interval '10 minutes'"
    )
    assert (await api.claim(started["name"])).waited == pytest.approx(600, abs=30)
