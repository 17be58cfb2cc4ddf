"""`docker-daemon:NAME[:TAG]`."""

import pytest

from shared.oci.engine_image import EngineImage, parse_source
from shared.oci.reference import Reference


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("docker-daemon:app", "app:latest"),
        ("docker-daemon:library/app:1", "app:1"),
        ("docker-daemon:team/app:1", "team/app:1"),
        ("docker-daemon:localhost/app:1", "localhost/app:1"),
        ("docker-daemon:localhost:5000/team/app", "localhost:5000/team/app:latest"),
    ],
)
def test_a_name_is_written_as_docker_shows_it(text: str, name: str) -> None:
    """The text parses to the same image."""
    image = EngineImage.parse(text)
    assert image.name == name
    assert parse_source(str(image)) == image


def test_anything_else_is_a_reference() -> None:
    """This includes an image whose name is `docker-daemon`."""
    assert parse_source("docker-daemon/app:1") == Reference("docker.io", "docker-daemon/app", "1")
    assert parse_source("quay.io/team/app:1") == Reference("quay.io", "team/app", "1")


@pytest.mark.parametrize(
    "text", ["app:1", "docker-daemon:", "docker-daemon:app:", "docker-daemon: app", "docker-daemon:a\n"]
)
def test_what_is_no_name_is_refused(text: str) -> None:
    """The error has a message for the user."""
    with pytest.raises(ValueError, match=r"\w+ "):
        EngineImage.parse(text)
