"""The rendered Helm chart. `make test-chart` installs the tools for these tests; without them they are skipped."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

import api_service.settings
import import_worker.settings
from api_service.web.serve import SHUTDOWN_TIMEOUT
from deploy.helm.tools import KUBERNETES, why_unavailable
from deploy.local.stack import Postgres
from import_worker.run_import import HAND_BACK_TIMEOUT
from shared.db.database import CLOSE_TIMEOUT
from tests.deploy.chart import CHART, NEWEST, ROOT, VALUES, Object, environment, helm, pick, pods, render, values_file
from tests.deploy.kubernetes_schemas import Checks, custom_checks, kubernetes_checks, trigger_parameters

# One process reads the schemas.
pytestmark = pytest.mark.xdist_group("chart")

# The content of the referenced Secrets.
SECRETS = {
    "DATABASE_URL": "postgresql://longshore@database.invalid/longshore",
    "AMQP_URL": "amqp://longshore@broker.invalid/",
    "SECRET_KEYS": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "WORKER_TOKEN": "token",
    "TARGET_USERNAME": "robot",
    "TARGET_PASSWORD": "password",
}
# Mistakes that a cluster accepts and ignores.
MISSPELT = {
    "api.yaml": ("readinessProbe:", "readynessProbe:"),
    "worker.yaml": ("terminationGracePeriodSeconds:", "terminationGraceSeconds:"),
    "disruption.yaml": ("unhealthyPodEvictionPolicy:", "unhealthyEvictionPolicy:"),
    "networkpolicy.yaml": ("- podSelector:", "- podsSelector:"),
    "migrate.yaml": ("backoffLimit:", "backOffLimit:"),
    "monitoring.yaml": ("podMetricsEndpoints:", "podMetricEndpoints:"),
    "autoscaling.yaml": ("scaleDown:", "scaledown:"),
    "_helpers.tpl": ("readOnlyRootFilesystem:", "readOnlyRootFileSystem:"),
}


@pytest.fixture(scope="session", autouse=True)
def tools() -> None:
    if reason := why_unavailable(download=False):
        pytest.skip(f"`make test-chart` brings what is not there: {reason}")


@pytest.fixture(scope="session", params=KUBERNETES, ids=lambda module: module.version)
def checks(request: pytest.FixtureRequest) -> Checks:
    """The checks of all kinds in a cluster with KEDA and the Prometheus operator."""
    return {**kubernetes_checks(request.param), **custom_checks()}


@pytest.fixture(scope="session", params=VALUES)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    return render(request.param)


@pytest.fixture(scope="session")
def everything() -> list[Object]:
    return render("everything")


def wrong(objects: list[Object], checks: Checks) -> list[str]:
    return [
        f"{each['kind']} {each['metadata']['name']} {trouble}"
        for each in objects
        for trouble in checks[each["apiVersion"], each["kind"]](each)
    ]


@pytest.mark.parametrize("name", VALUES)
def test_the_linter_finds_nothing(name: str) -> None:
    done = helm("lint", "--strict", str(CHART), "--kube-version", NEWEST, "--values", str(values_file(name)))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_object_is_what_kubernetes_describes(objects: list[Object], checks: Checks) -> None:
    """No unknown field, no value of a wrong type, no missing field."""
    assert wrong(objects, checks) == []
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("template", MISSPELT)
def test_a_misspelt_field_is_found(template: str, checks: Checks, tmp_path: Path) -> None:
    """The previous test depends on closed schemas."""
    chart = tmp_path / "longshore"
    shutil.copytree(CHART, chart)
    path = chart / "templates" / template
    good, bad = MISSPELT[template]
    assert good in path.read_text()
    path.write_text(path.read_text().replace(good, bad))
    assert any(bad.strip(" -:") in trouble for trouble in wrong(render("everything", chart=chart), checks))


@pytest.mark.parametrize(
    "setting",
    ["settings.DATABASE_URL=postgresql://a:b@c/d", "api.settings.WORKER_SLOTS=3", "worker.replica=3", "metric.rules=1"],
)
def test_values_that_mean_nothing_are_refused(setting: str) -> None:
    """The chart refuses a password in the values, a setting of the other service, and a misspelt value."""
    done = helm(
        "template", "x", str(CHART), "--kube-version", NEWEST, "-f", str(values_file("minimal")), "--set", setting
    )
    assert done.returncode != 0
    assert "additional properties" in done.stderr


def test_a_chart_without_a_target_is_refused() -> None:
    assert "TARGET_URL" in helm("template", "x", str(CHART), "--kube-version", NEWEST).stderr


def test_pods_keep_to_the_restricted_standard(objects: list[Object]) -> None:
    """The pods meet Kubernetes' pod security standard `restricted`, and have no token of the cluster's API."""
    for name, spec in pods(objects).items():
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {next(iter(set(volume) - {"name"})) for volume in spec["volumes"]} == {"projected"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]
    for each in objects:
        if each["kind"] == "ServiceAccount":
            assert each["automountServiceAccountToken"] is False


def test_secrets_are_files_from_secrets(objects: list[Object]) -> None:
    """Each `NAME_FILE` is a file from a referenced Secret; the chart creates no Secret."""
    assert not [each for each in objects if each["kind"] == "Secret"]
    for component, spec in pods(objects).items():
        (volume,) = (volume for volume in spec["volumes"] if volume["name"] == "secrets")
        (mount,) = (mount for mount in spec["containers"][0]["volumeMounts"] if mount["name"] == "secrets")
        sources = [source["secret"] for source in volume["projected"]["sources"]]
        files = {f"{mount['mountPath']}/{item['path']}" for source in sources for item in source["items"]}
        named = {name: value for name, value in environment(objects, component).items() if name.endswith("_FILE")}
        assert set(named.values()) == files
        # The worker's DATABASE_URL is the chart's WORKER_DATABASE_URL.
        assert all(path.endswith(name.removesuffix("_FILE")) for name, path in named.items())


@pytest.mark.parametrize(
    ("component", "read"),
    [("api", api_service.settings.read_settings), ("worker", import_worker.settings.read_settings)],
)
def test_the_services_take_the_settings(
    component: str, read: Callable[[], Any], objects: list[Object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The services' own code accepts the settings of the chart."""
    for name, value in environment(objects, component).items():
        file = tmp_path / name
        file.write_text(SECRETS.get(name.removesuffix("_FILE"), ""))
        placed = value.replace("/etc/longshore/certificates/", f"{tmp_path}/") if name == "CA_FILES" else value
        monkeypatch.setenv(name, str(file) if name.endswith("_FILE") else placed)
    (tmp_path / "harbor.pem").write_text("")
    settings = read()
    assert settings.shared.database_url == SECRETS["DATABASE_URL"]
    assert settings.lease == float(environment(objects, component).get("LEASE_SECONDS", "30"))


def test_a_worker_has_no_keys_and_a_database_role_of_its_own(everything: list[Object]) -> None:
    """It reads what any user names as a source, so it holds as little as it can."""
    given = environment(everything, "worker")
    assert given["DATABASE_URL_FILE"].endswith("/WORKER_DATABASE_URL")
    assert "SECRET_KEYS_FILE" not in given
    (volume,) = (volume for volume in pods(everything)["worker"]["volumes"] if volume["name"] == "secrets")
    placed = {item["path"] for source in volume["projected"]["sources"] for item in source["secret"]["items"]}
    assert placed.isdisjoint({"SECRET_KEYS", "DATABASE_URL"})


def test_the_migration_knows_the_database_alone(everything: list[Object]) -> None:
    """It creates the workers' role, for which it needs their URL."""
    job = pick(everything, "Job", "migrate")
    assert set(environment(everything, "migrate")) == {"DATABASE_URL_FILE", "WORKER_DATABASE_URL_FILE"}
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    policy = pick(everything, "NetworkPolicy", "migrate")["metadata"]["annotations"]
    weights = [int(each["helm.sh/hook-weight"]) for each in (policy, job["metadata"]["annotations"])]
    assert weights == sorted(set(weights))


def test_every_pod_has_a_policy_that_refuses_the_rest(everything: list[Object]) -> None:
    """A policy restricts both directions for each component, and selects only its pods."""
    for component in ("api", "worker", "migrate"):
        spec = pick(everything, "NetworkPolicy", component)["spec"]
        assert spec["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == component
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        for rule in (*spec.get("ingress", ()), *spec["egress"]):
            assert rule["ports"]
        assert all(rule["from"] for rule in spec.get("ingress", ()))


def test_policies_open_the_ports_that_are_used(everything: list[Object]) -> None:
    """The API and the workers may call what they need, including the target's port; Prometheus may read metrics."""
    workers = pick(everything, "NetworkPolicy", "worker")["spec"]
    api = pick(everything, "NetworkPolicy", "api")["spec"]
    for spec in (workers, api):
        assert {53, 5432, 5672, 443, 4318} <= {port["port"] for rule in spec["egress"] for port in rule["ports"]}
        assert {8443, 443} <= {port["port"] for rule in spec["egress"] for port in rule["ports"]}
    assert [rule for rule in workers["egress"] if rule["ports"][0]["port"] == "http"]
    served = {port["name"] for spec in pods(everything).values() for port in spec["containers"][0].get("ports", ())}
    opened = {port["port"] for spec in (api, workers) for rule in spec["ingress"] for port in rule["ports"]}
    assert opened == served


def test_probes_ask_ports_that_are_there(objects: list[Object]) -> None:
    for component in ("api", "worker"):
        (container,) = pods(objects)[component]["containers"]
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["port"] in ports
            assert container[probe]["httpGet"]["path"] in {"/healthz", "/readyz"}
        # An outage of another service must not restart the pod.
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_pods_have_the_time_that_their_stop_takes(objects: list[Object]) -> None:
    """A worker has time to hand back its imports, and the API to finish its requests."""
    api, worker = pods(objects)["api"], pods(objects)["worker"]
    drain = float(environment(objects, "api")["DRAIN_SECONDS"])
    assert api["terminationGracePeriodSeconds"] > drain + SHUTDOWN_TIMEOUT + 2 * CLOSE_TIMEOUT
    grace = float(environment(objects, "worker")["STOP_GRACE_SECONDS"])
    assert worker["terminationGracePeriodSeconds"] > grace + HAND_BACK_TIMEOUT + 2 * CLOSE_TIMEOUT


def test_other_settings_are_other_pods(everything: list[Object]) -> None:
    """A changed setting of the workers replaces only the workers."""

    def sums(objects: list[Object]) -> Mapping[str, str]:
        found = {name: pick(objects, "Deployment", name) for name in ("api", "worker")}
        return {
            name: each["spec"]["template"]["metadata"]["annotations"]["checksum/config"] for name, each in found.items()
        }

    before, after = sums(everything), sums(render("everything", "worker.settings.WORKER_SLOTS=9"))
    assert before["worker"] != after["worker"]
    assert before["api"] == after["api"]


def test_alerts_and_dashboard_are_the_ones_that_are_tested(everything: list[Object]) -> None:
    """deploy/prometheus and deploy/grafana have the only copies."""
    rule = pick(everything, "PrometheusRule", "monitoring")
    assert rule["spec"] == yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text())
    dashboard = json.loads(pick(everything, "ConfigMap", "monitoring")["data"]["longshore.json"])
    assert dashboard == json.loads((ROOT / "deploy" / "grafana" / "longshore.json").read_text())


@pytest.mark.parametrize("name", ["everything", "bare"])
def test_the_scaler_gives_each_worker_as_many_imports_as_it_has_slots(name: str) -> None:
    """KEDA reads all parameters, and stops one worker at a time."""
    objects = render(name)
    spec = pick(objects, "ScaledObject", "worker")["spec"]
    (trigger,) = spec["triggers"]
    assert set(trigger["metadata"]) <= trigger_parameters(trigger["type"])
    slots = environment(objects, "worker").get("WORKER_SLOTS", "2")
    assert slots in trigger["metadata"].values()
    assert trigger["metricType"] == "AverageValue"
    (down,) = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]["policies"]
    assert down["value"] == 1
    assert down["periodSeconds"] >= pods(objects)["worker"]["terminationGracePeriodSeconds"]
    assert "replicas" not in pick(objects, "Deployment", "worker")["spec"]


def test_prometheus_is_asked_a_question_about_figures(everything: list[Object]) -> None:
    """The query uses metrics that exist (see test_monitoring)."""
    objects = render("bare")
    query = pick(objects, "ScaledObject", "worker")["spec"]["triggers"][0]["metadata"]["query"]
    promql_parser.parse(query)
    alerts_and_panels = "".join((ROOT / "docs" / "operations.md").read_text())
    for figure in ("longshore_imports_due", "longshore_imports_open"):
        assert figure in query
        assert f"`{figure}`" in alerts_and_panels


def test_the_database_counts_what_needs_a_worker(
    everything: list[Object], postgres: Postgres, database_url: str
) -> None:
    """Running and due imports count; imports that wait for a later time or have ended do not."""
    database = database_url.rpartition("/")[2]
    states = {
        "queued": ("'queued'", "now()", "NULL"),
        "due": ("'waiting'", "now() - interval '1 second'", "NULL"),
        "running": ("'running'", "now()", "now() + interval '1 minute'"),
        "parked": ("'waiting'", "now() + interval '1 hour'", "NULL"),
        "ended": ("'cancelled'", "now()", "NULL"),
    }
    for name, (state, due, lease) in states.items():
        postgres.execute(
            f"""
            WITH image AS (
                INSERT INTO images (registry_host, repository, tag, status, source, created_by)
                VALUES ('target', '{name}', 'latest', 'importing', 'source', 'somebody') RETURNING id
            )
            INSERT INTO imports (name, image_id, state, source, requested_by, due_at, lease_until)
            SELECT '{name}', id, {state}, 'source', 'somebody', {due}, {lease} FROM image
            """,
            database=database,
        )
    query = pick(everything, "ScaledObject", "worker")["spec"]["triggers"][0]["metadata"]["query"]
    assert postgres.execute(query, database=database) == "3"
