"""Images on a Docker Engine as sources: `docker-daemon:NAME[:TAG]`, as opposed to references to registries."""

from dataclasses import dataclass
from typing import TypeAlias

from shared.oci.digest import Digest
from shared.oci.reference import DOCKER_HUB, Reference

# As skopeo and containers/image write it.
DOCKER_DAEMON = "docker-daemon:"


@dataclass(frozen=True, slots=True)
class EngineImage:
    """An image on the engine that a worker is connected to. Its parts have the names of a reference's parts."""

    repository: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> "EngineImage":
        """Read `docker-daemon:NAME[:TAG]`; raises ValueError with a sentence for a person.

        The name may start with a registry, as local names do after a pull. A digest is refused: an image on an engine
        often has none, and `docker tag` gives every image a name.
        """
        name = text.removeprefix(DOCKER_DAEMON)
        if name == text or not name:
            raise ValueError(f"it is not of the form {DOCKER_DAEMON}NAME[:TAG]")
        reference = Reference.parse(name)
        if reference.digest or reference.tag is None:
            raise ValueError("an image on a Docker Engine is named by tag, not by digest")
        return cls(_familiar(reference), reference.tag)

    @property
    def registry(self) -> str:
        """The part of a target's name that is the host for other sources: no host can have this name."""
        return DOCKER_DAEMON.removesuffix(":")

    @property
    def digest(self) -> Digest | None:
        """None: only the engine knows."""
        return None

    @property
    def name(self) -> str:
        """`NAME:TAG`, as the engine knows it."""
        return f"{self.repository}:{self.tag}"

    def __str__(self) -> str:
        return f"{DOCKER_DAEMON}{self.name}"


ImageSource: TypeAlias = Reference | EngineImage


def parse_source(text: str) -> ImageSource:
    """Read the stored form of an import's source; raises ValueError."""
    return EngineImage.parse(text) if text.startswith(DOCKER_DAEMON) else Reference.parse(text)


def _familiar(reference: Reference) -> str:
    """Return the name as Docker shows it: without Docker Hub's host, which is the default."""
    if reference.registry != DOCKER_HUB:
        return reference.name
    return reference.repository.removeprefix("library/")
