"""Helm, and the descriptions that check the chart; `python -m deploy.helm.tools` builds and downloads them."""

import sys

from deploy.local.go.module import GoModule
from deploy.local.go.program import GoProgram

HELM = GoProgram(name="helm", package="helm.sh/helm/v3/cmd/helm", version="v3.22.0")
# The oldest Kubernetes that Chart.yaml allows, and the newest release.
KUBERNETES = (
    GoModule(path="k8s.io/kubernetes", version="v1.29.15"),
    GoModule(path="k8s.io/kubernetes", version="v1.37.2"),
)
KEDA = GoModule(path="github.com/kedacore/keda/v2", version="v2.21.0")
PROMETHEUS_OPERATOR = GoModule(path="github.com/prometheus-operator/prometheus-operator", version="v0.85.0")
MODULES = (*KUBERNETES, KEDA, PROMETHEUS_OPERATOR)


def why_unavailable(*, download: bool) -> str | None:
    """Return why a tool or description is not available, or None; `download` first builds or downloads it."""
    reasons = {HELM.name: HELM.why_unavailable(build=download)}
    reasons |= {f"{module.path} {module.version}": module.why_unavailable(download=download) for module in MODULES}
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items() if reason) or None


if __name__ == "__main__":
    sys.exit(why_unavailable(download=True))
