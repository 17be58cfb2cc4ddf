"""The name of an image in the target."""

import pytest

from api_service.imports.source.target_name import TargetNaming
from shared.errors.error import LongshoreError
from shared.oci.reference import MAX_NAME_LENGTH, Reference

NAMING = TargetNaming(host="harbor.example.com", project="imports", drop_host_for=frozenset({"docker.io"}))
DIGEST = "sha256:" + "0123456789abcdef" * 4


def name(source: str, target: str | None = None) -> str:
    return str(NAMING.name(Reference.parse(source), target))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("quay.io/team/app:1.0", "imports/quay.io/team/app:1.0"),
        ("localhost:5000/app:x", "imports/localhost-5000/app:x"),
        ("quay.io/app", "imports/quay.io/app:latest"),
        ("[::1]:5000/app:x", "imports/0-0-0-0-0-0-0-1-5000/app:x"),
        ("[0:0::1]:5000/app:x", "imports/0-0-0-0-0-0-0-1-5000/app:x"),
        ("xn--bcher-kva.example/app:x", "imports/xn--bcher-kva.example/app:x"),
        ("nginx", "imports/library/nginx:latest"),
        (f"quay.io/app@{DIGEST}", "imports/quay.io/app:sha256-0123456789ab"),
        (f"quay.io/app:1.0@{DIGEST}", "imports/quay.io/app:1.0"),
    ],
)
def test_the_name_comes_from_the_source(source: str, expected: str) -> None:
    """It has the project, the host with a dash for the colon, and the repository; chosen hosts are omitted."""
    assert name(source) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("team/app:2.0", "team/app:2.0"),
        ("team/app", "team/app:1.0"),
        ("team/deep/er/app:2.0", "team/deep/er/app:2.0"),
        ("my.project/app", "my.project/app:1.0"),
        ("harbor.example.com/team/app:2.0", "team/app:2.0"),
    ],
)
def test_a_target_is_taken_as_given(target: str, expected: str) -> None:
    """Without a tag it gets the source's tag; the target's own host before the name is allowed."""
    assert name("quay.io/app:1.0", target) == expected


@pytest.mark.parametrize(
    "target",
    [
        "app:1.0",
        "app",
        "Team/app:1.0",
        "team/app:",
        "team/app:-x",
        "team//app",
        "/app",
        "team/",
        "other.example.com:443/team/app:1.0",
        f"team/app@{DIGEST}",
        "team/" + MAX_NAME_LENGTH * "a",
        "team/app:" + 129 * "x",
        "team/app:1.0:2.0",
        "team/app:1.0/x",
        "../app",
    ],
)
def test_a_bad_target_is_refused_by_name(target: str) -> None:
    with pytest.raises(LongshoreError) as caught:
        name("quay.io/app:1.0", target)
    assert caught.value.code == "validation_failed"
    assert list(caught.value.fields) == ["target"]


def test_a_target_in_another_registry_is_distinguished_from_a_bad_tag() -> None:
    """Only a port identifies a registry: a project's name may have dots."""
    with pytest.raises(LongshoreError, match=r"another registry than harbor\.example\.com") as caught:
        name("quay.io/app:1.0", "other.example.com:443/team/app:1.0")
    assert list(caught.value.fields) == ["target"]


def test_a_name_that_grows_too_long_is_refused_with_the_way_out() -> None:
    """The source's name is within the limit; with project and host it is not."""
    with pytest.raises(LongshoreError) as caught:
        name(f"quay.io/{250 * 'a'}:1.0")
    assert caught.value.code == "validation_failed"
    assert "give a shorter one as `target`" in caught.value.detail
