"""What the chart is rendered with and held against; `python -m deploy.helm.tools` brings it, for `make test-chart`."""

import sys

from deploy.local.go.module import GoModule
from deploy.local.go.program import GoProgram

HELM = GoProgram(name="helm", package="helm.sh/helm/v3/cmd/helm", version="v3.22.0")
# The oldest Kubernetes that Chart.yaml takes, and the newest one.
KUBERNETES = (
    GoModule(path="k8s.io/kubernetes", version="v1.29.15"),
    GoModule(path="k8s.io/kubernetes", version="v1.37.2"),
)
KEDA = GoModule(path="github.com/kedacore/keda/v2", version="v2.21.0")
PROMETHEUS_OPERATOR = GoModule(path="github.com/prometheus-operator/prometheus-operator", version="v0.85.0")
MODULES = (*KUBERNETES, KEDA, PROMETHEUS_OPERATOR)


def missing(*, bring: bool) -> str | None:
    """Return why something is not there, after trying to bring it where that is wanted."""
    reasons = {HELM.name: HELM.missing(build=bring)}
    reasons |= {f"{module.path} {module.version}": module.missing(download=bring) for module in MODULES}
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items() if reason) or None


if __name__ == "__main__":
    sys.exit(missing(bring=True))
