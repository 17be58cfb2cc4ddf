"""The steps at which a source can be slow, silent or limited, as rules of a scripted registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.faults.content.lies import Victim
from tests.scripted.rule import Rule

# One byte, and the seconds before the next one: the shortest answer of a step takes minutes.
DRIP_PIECE, DRIP_PAUSE = 1, 1.0
OCI_INDEX = "application/vnd.oci.image.index.v1+json"

Step = Callable[[Victim], Rule]


def _tag(victim: Victim) -> Rule:
    """A HEAD has no body that could drip, so the registry has GET alone, as some have."""
    path = f"/v2/{victim.repository}/manifests/latest"
    victim.registry.on("HEAD", path).refuse(405, "UNSUPPORTED")
    return victim.registry.on("GET", path)


def _redirect(victim: Victim) -> Rule:
    """The body of a redirect is read as well."""
    return victim.on_blob(victim.layers[-1]).answer(
        307, body=bytes(1_000), headers={"Location": f"/v2/{victim.repository}/storage"}
    )


def _storage(victim: Victim) -> Rule:
    path, layer = f"/v2/{victim.repository}/storage", victim.layers[-1]
    victim.on_blob(layer).redirect(path)
    return victim.registry.on("GET", path).answer(200, body=b"".join(layer.read()))


def _referrers(victim: Victim) -> Rule:
    path = f"/v2/{victim.repository}/referrers/.*"
    return victim.registry.on("GET", path).answer(200, body=bytes(1_000), headers={"Content-Type": OCI_INDEX})


# In the order of an import.
STEPS: Mapping[str, Step] = {
    "token": lambda victim: victim.registry.on("GET", "/token"),
    "tag": _tag,
    "index": lambda victim: victim.on_manifest(victim.image.root.digest),
    "manifest": lambda victim: victim.on_manifest(victim.image.children[0].digest),
    "configuration": lambda victim: victim.on_blob(victim.config),
    "tags": lambda victim: victim.registry.on("GET", f"/v2/{victim.repository}/tags/list"),
    "referrers": _referrers,
    "small layer": lambda victim: victim.on_blob(victim.layers[0]),
    "redirect": _redirect,
    "large layer": _storage,
}

FAULTS: Mapping[str, Callable[[Rule], object]] = {
    "drip": lambda rule: rule.drip(DRIP_PIECE, DRIP_PAUSE),
    "silence": lambda rule: rule.never_answer(),
    "429": lambda rule: rule.refuse(429, "TOOMANYREQUESTS", Retry_After="1"),
}
