"""Parsing the reference in a request."""

import pytest

from api_service.imports.source.reference import read_source
from shared.errors.error import LongshoreError

DIGEST = "sha256:" + 64 * "a"


@pytest.mark.parametrize(
    ("source", "registry", "expected"),
    [
        ("nginx", None, "docker.io/library/nginx:latest"),
        ("nginx", "docker.io", "docker.io/library/nginx:latest"),
        ("nginx", "quay.io", "quay.io/nginx:latest"),
        ("team/app:1.0", "localhost:5000", "localhost:5000/team/app:1.0"),
        ("quay.io/app:1.0", "quay.io", "quay.io/app:1.0"),
        ("QUAY.io/app:1.0", "quay.IO", "quay.io/app:1.0"),
        ("index.docker.io/team/app", "registry-1.docker.io", "docker.io/team/app:latest"),
        (f"team/app@{DIGEST}", "quay.io", f"quay.io/team/app@{DIGEST}"),
        (f"localhost:5000/app:1.0@{DIGEST}", None, f"localhost:5000/app:1.0@{DIGEST}"),
        ("[::1]:5000/app", None, "[::1]:5000/app:latest"),
    ],
)
def test_source_registry_stands_in_front_where_the_source_names_none(
    source: str, registry: str | None, expected: str
) -> None:
    """Equal registries in different spellings are no conflict."""
    assert str(read_source(source, registry)) == expected


@pytest.mark.parametrize(
    ("source", "registry"), [("quay.io/app", "docker.io"), ("localhost:5000/app", "localhost:5001")]
)
def test_two_different_registries_are_a_conflict(source: str, registry: str) -> None:
    with pytest.raises(LongshoreError, match="source_registry_conflict"):
        read_source(source, registry)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("team/UPPER", "not a repository name"),
        ("app:", "not a tag"),
        ("app@sha256:abc", "not a digest"),
        (" nginx", "not a repository name"),
        ("nginx\n", "not a repository name"),
        ("quay.io:99999/app", "not a port number"),
        ("https://quay.io/app", "remove everything up to '://'"),
        ("a" * 2000, "longer than"),
        ("..", "not a repository name"),
        ("quay.io/", "not a repository name"),
        ("[::::]/app", "not a registry address"),
        ("[abc]:5000/app", "not a registry address"),
    ],
)
def test_a_malformed_source_is_refused_with_the_reason(source: str, reason: str) -> None:
    with pytest.raises(LongshoreError) as caught:
        read_source(source, None)
    assert caught.value.code == "reference_malformed"
    assert reason in caught.value.detail


@pytest.mark.parametrize("registry", ["https://quay.io", "quay.io/team", "-", "quay.io:0"])
def test_a_malformed_source_registry_is_refused_by_name(registry: str) -> None:
    with pytest.raises(LongshoreError) as caught:
        read_source("app", registry)
    assert list(caught.value.fields) == ["sourceRegistry"]
