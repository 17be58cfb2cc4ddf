"""References are read as Docker reads them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.oci.digest import Digest
from shared.oci.reference import Reference, check_tag, normal_registry
from tests.shared.oci.strategies import digests, registries, repositories, tags

DIGEST = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.25", "docker.io/library/nginx:1.25"),
        ("bitnami/redis", "docker.io/bitnami/redis:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("index.docker.io/nginx", "docker.io/library/nginx:latest"),
        ("registry-1.docker.io/library/nginx", "docker.io/library/nginx:latest"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app:1", "localhost:5000/app:1"),
        ("localhost:5000", "docker.io/library/localhost:5000"),
        ("quay.io/a/b/c/d:v1", "quay.io/a/b/c/d:v1"),
        ("Registry.Example/app", "registry.example/app:latest"),
        ("HOST/app", "host/app:latest"),
        ("host/app", "docker.io/host/app:latest"),
        ("[::1]:5000/app", "[::1]:5000/app:latest"),
        (f"nginx@{DIGEST}", f"docker.io/library/nginx@{DIGEST}"),
        (f"quay.io/app:1@{DIGEST}", f"quay.io/app:1@{DIGEST}"),
        ("a.b/c__d.e-f---g", "a.b/c__d.e-f---g:latest"),
        ("app:UPPER_Tag.1-x", "docker.io/library/app:UPPER_Tag.1-x"),
    ],
)
def test_a_reference_means_what_docker_takes_it_for(text: str, expected: str) -> None:
    """distribution/reference, ParseDockerRef and TagNameOnly."""
    assert str(Reference.parse(text)) == expected


@given(registries, repositories, st.none() | tags, st.none() | digests)
def test_a_reference_comes_back_from_its_text(
    registry: str, repository: str, tag: str | None, digest: Digest | None
) -> None:
    """The stored and displayed form parses to the same image."""
    text = f"{registry}/{repository}{f':{tag}' if tag else ''}{f'@{digest}' if digest else ''}"
    parsed = Reference.parse(text)
    assert Reference.parse(str(parsed)) == parsed
    assert (parsed.tag, parsed.digest) == (tag or (None if digest else "latest"), digest)
    assert parsed.registry == normal_registry(registry)
    assert parsed.repository.endswith(repository)


@given(repositories.filter(lambda name: "/" in name), registries)
def test_a_given_registry_stands_in_where_none_is_named(repository: str, registry: str) -> None:
    """The given registry is used only in that case."""
    if "." not in repository.partition("/")[0] and repository.partition("/")[0] != "localhost":
        assert Reference.parse(repository, registry=registry).registry == normal_registry(registry)
    assert Reference.parse(f"quay.io/{repository}", registry=registry).registry == "quay.io"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "/",
        ":",
        "@",
        "nginx:",
        "nginx@",
        "nginx:a:b",
        "nginx@sha256:abc",
        f"nginx@{DIGEST}@{DIGEST}",
        f"nginx@{DIGEST}:tag",
        "Nginx",
        "quay.io/App",
        "quay.io/",
        "quay.io//app",
        "quay.io/app/",
        "quay.io/../app",
        "quay.io/a..b",
        "quay.io/a___b",
        "quay.io/-a",
        "quay.io/a-",
        "quay.io/a b",
        "quay.io/a\n",
        "quay.io/a?b",
        "quay.io/a%2fb",
        "quay.io/a#b",
        "quay.io:0/a",
        "quay.io:65536/a",
        "quay.io:port/a",
        "-quay.io/a",
        "http://quay.io/a",
        "user:word@quay.io/a",
        "app:" + "a" * 129,
        "app:.a",
        "quay.io/" + "a" * 256,
        "a" * 2000,
        "quay.io/ä",
        "quay.io/a:ä",
    ],
)
def test_what_docker_does_not_read_is_refused_in_words(text: str) -> None:
    """The message is shown to the user."""
    with pytest.raises(ValueError, match=r".{10,}"):
        Reference.parse(text)


@given(st.text(max_size=300))
@example("a" * 1000 + "!")
@example("a." * 500)
@example("a-" * 500)
@example("-" * 1000)
def test_any_text_is_a_reference_or_a_value_error(text: str) -> None:
    """A parsed reference is safe in a URL; every other text is refused."""
    try:
        parsed = Reference.parse(text)
    except ValueError:
        return
    assert str(parsed).isascii()
    assert not set(str(parsed)) & set(" \t\r\n?#%\\")
    assert ".." not in str(parsed).partition("@")[0].rpartition(":")[0]


@given(repositories, tags, digests)
def test_a_pinned_reference_is_the_same_image_by_digest(repository: str, tag: str, digest: Digest) -> None:
    """The tag is kept for users; the digest is copied."""
    reference = Reference.parse(f"quay.io/{repository}:{tag}")
    pinned = reference.pinned(digest)
    assert (pinned.name, pinned.tag, pinned.digest) == (reference.name, tag, digest)


@pytest.mark.parametrize("tag", ["", "a b", "-a", ".a", "a/b", "a:b", "a\n", "a" * 129])
def test_a_tag_outside_the_grammar_is_refused(tag: str) -> None:
    """The rule applies to every tag, whatever its origin."""
    with pytest.raises(ValueError, match="is not a tag"):
        check_tag(tag)


@pytest.mark.parametrize("text", ["a" * 64, "0123456789abcdef" * 4])
def test_an_image_id_is_no_name(text: str) -> None:
    """Docker reads 64 hexadecimal digits as the id of a local image, and refuses them as a name."""
    with pytest.raises(ValueError, match="image id"):
        Reference.parse(text)


def test_an_image_id_within_a_repository_is_a_name() -> None:
    """Only the bare digits are ambiguous."""
    assert Reference.parse(f"quay.io/team/{'a' * 64}").repository == f"team/{'a' * 64}"
