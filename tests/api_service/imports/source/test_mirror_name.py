"""Names that say where an image comes from, and what it is."""

import pytest

from api_service.imports.source.target_name import TargetNaming
from shared.errors.error import LongshoreError
from shared.oci.engine_image import EngineImage, ImageSource
from shared.oci.reference import Reference

PLAIN = TargetNaming(host="harbor.example.com", project="imports")
DROPPING = TargetNaming(host="harbor.example.com", project="imports", drop_host_for=frozenset({"docker.io", "ghcr.io"}))
HEX = "0123456789abcdef" * 4
DIGEST = f"sha256:{HEX}"


def from_host(host: str, repository: str = "team/app:1.0") -> Reference:
    """Return a source on a host that a reference cannot name: only `sourceRegistry` can."""
    return Reference.parse(repository, registry=host)


def refusal(naming: TargetNaming, source: ImageSource, target: str | None) -> str:
    with pytest.raises(LongshoreError) as caught:
        naming.name(source, target)
    assert caught.value.code == "target_not_allowed"
    assert "`target`" in caught.value.detail
    return caught.value.detail


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("evil.example/library/postgres:17", "imports/docker.io/library/postgres:17"),
        ("evil.example/library/postgres:17", "harbor.example.com/imports/docker.io/library/postgres:17"),
        ("docker.io:443/library/postgres:17", "imports/docker.io/library/postgres:17"),
        ("docker.io/library/postgres:17", "imports/index.docker.io/library/postgres:17"),
        ("docker.io/library/postgres:17", "imports/registry-1.docker.io/library/postgres:17"),
        ("docker.io/library/postgres:17", "imports/quay.io/library/postgres:17"),
        ("quay.io:8443/app:1.0", "imports/quay.io/app:1.0"),
        ("quay.io/app:1.0", "imports/quay.io-8443/app:1.0"),
        ("quay.io/app:1.0", "imports/localhost/app:1.0"),
        ("quay.io/app:1.0", "imports/registry-5000/app:1.0"),
        ("quay.io/app:1.0", "imports/docker-daemon/app:1.0"),
        ("quay.io/app:1.0", "imports/0-0-0-0-0-0-0-1-5000/app:1.0"),
        ("quay.io/app:1.0", "imports/registry/app:1.0"),
    ],
)
def test_names_below_a_host_are_for_its_images_alone(source: str, target: str) -> None:
    """However the host is spelled: with an alias, a port, or the target's own host before the name."""
    refusal(PLAIN, Reference.parse(source), target)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("docker.io/library/postgres:17", "imports/docker.io/library/postgres-17:1"),
        ("index.docker.io/library/postgres:17", "imports/docker.io/copies/postgres"),
        ("DOCKER.IO/library/postgres:17", "imports/docker.io/library/postgres"),
        ("quay.io:8443/app:1.0", "imports/quay.io-8443/other"),
        ("[::1]:5000/app:x", "imports/0-0-0-0-0-0-0-1-5000/other"),
        ("evil.example/app:1.0", "team/docker.io/app"),
        ("evil.example/app:1.0", "imports/app"),
        ("evil.example/app:1.0", "imports/my_team/app"),
    ],
)
def test_other_names_are_free(source: str, target: str) -> None:
    """Those of the source's own host, of other projects, and those that no host can have."""
    assert PLAIN.name(Reference.parse(source), target).repository == target.partition(":")[0]


@pytest.mark.parametrize(
    "host",
    ["registry-5000", "quay.io-8443", "docker-daemon", "0-0-0-0-0-0-0-1", "fe80-0-0-0-0-0-0-1-5000", "registry:5"],
)
def test_a_host_that_reads_as_another_one_has_no_derived_names(host: str) -> None:
    """`registry-5000` is what `registry:5000` becomes; two hosts never share a name."""
    assert "imports/" in refusal(PLAIN, from_host(host), None)
    assert str(PLAIN.name(from_host(host), "team/app")) == "team/app:1.0"


@pytest.mark.parametrize("host", ["registry", "registry:5000", "registry-5000.example", "127.0.0.1:5000", "[fe80::1]"])
def test_every_other_host_has_its_own(host: str) -> None:
    derived = PLAIN.name(from_host(host), None)
    assert derived == PLAIN.name(from_host(host), str(derived))
    refusal(PLAIN, Reference.parse("quay.io/team/app:1.0"), str(derived))


def test_an_engine_has_its_own_names() -> None:
    engine = EngineImage.parse("docker-daemon:quay.io/team/app:1.0")
    assert str(PLAIN.name(engine, None)) == "imports/docker-daemon/quay.io/team/app:1.0"
    refusal(PLAIN, engine, "imports/quay.io/team/app:1.0")


@pytest.mark.parametrize("source", ["docker.io/library/postgres:17", "ghcr.io/team-1/app:1.0"])
def test_names_without_a_host_are_for_images_of_the_hosts_that_are_dropped(source: str) -> None:
    """DROP_HOST_FOR: an image of any other host cannot take such a name, however many parts it has."""
    derived = str(DROPPING.name(Reference.parse(source), None))
    assert derived == f"imports/{source.partition('/')[2]}"
    assert "docker.io, ghcr.io" in refusal(DROPPING, Reference.parse("quay.io/app:1.0"), derived)
    refusal(DROPPING, Reference.parse("quay.io/app:1.0"), "imports/app")
    refusal(DROPPING, from_host("library"), None)
    assert str(DROPPING.name(Reference.parse("quay.io/app:1.0"), None)) == "imports/quay.io/app:1.0"


@pytest.mark.parametrize("repository", ["quay.io/team/app:1.0", "registry-5000/app:1.0", "docker-daemon/app:1.0"])
def test_a_dropped_host_does_not_reach_the_names_of_others(repository: str) -> None:
    """A repository of ghcr.io that is called like a host would have that host's name."""
    refusal(DROPPING, Reference.parse(f"ghcr.io/{repository}"), None)


@pytest.mark.parametrize(
    "tag",
    [
        f"sha256-{HEX}",
        f"sha256-{HEX}.sig",
        f"sha256-{HEX}.att",
        f"sha256-{HEX}.sbom",
        f"sha256-{HEX}.cosign",
        f"sha256-{HEX}xsig",
        f"sha256-{HEX.upper()}.sig",
        f"SHA256-{HEX}",
        f"sha512-{HEX}",
        "sha256-0123456789ab",
        "sha256-ab.sig",
    ],
)
def test_a_companion_tag_is_no_target(tag: str) -> None:
    """Given as a target, or derived from the source's tag; clients read it as a part of the image that it names."""
    refusal(PLAIN, Reference.parse("quay.io/app:1.0"), f"team/app:{tag}")
    refusal(PLAIN, Reference.parse(f"quay.io/app:{tag}"), None)
    refusal(PLAIN, Reference.parse(f"quay.io/app:{tag}"), "team/app")
    refusal(PLAIN, EngineImage.parse(f"docker-daemon:app:{tag}"), None)
    assert str(PLAIN.name(Reference.parse(f"quay.io/app:{tag}"), "team/app:1.0")) == "team/app:1.0"


def test_a_source_that_has_only_a_digest_keeps_its_derived_tag() -> None:
    source = Reference.parse(f"quay.io/app@{DIGEST}")
    assert str(PLAIN.name(source, None)) == "imports/quay.io/app:sha256-0123456789ab"
    assert str(PLAIN.name(source, "team/app:sha256-0123456789ab")) == "team/app:sha256-0123456789ab"
    refusal(PLAIN, source, "team/app:sha256-0123456789ac")


@pytest.mark.parametrize(
    "tag", ["sha-0123456789ab", "sha256", "sha256-", "sha256-main", "v1-sha256-0123456789ab", "sha256-fix.1"]
)
def test_tags_that_only_look_similar_are_free(tag: str) -> None:
    assert PLAIN.name(Reference.parse("quay.io/app:1.0"), f"team/app:{tag}").tag == tag
