"""The repository and tag of an image in the target."""

import re
from dataclasses import dataclass

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.engine_image import ImageSource
from shared.oci.reference import MAX_NAME_LENGTH, Reference, check_tag

# A placeholder host, so that the reference grammar can check a name in the target.
_ANY_HOST = "target.invalid"
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9.]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetName:
    """`repository:tag`; the repository's first part is the project."""

    repository: str
    tag: str

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetNaming:
    """The operator's rules for names. `host` is the target's public host, which a caller may put before a name."""

    host: str
    project: str
    drop_host_for: frozenset[str] = frozenset()

    def name(self, source: ImageSource, requested: str | None) -> TargetName:
        """Return the requested name, or `<project>/<source host>/<source repository>:<tag>`.

        The host is `docker-daemon` for a source on a Docker Engine. Without a requested tag, the tag is the source's,
        or `sha256-<12 hex digits>` if the source has only a digest. Raises `validation_failed`.
        """
        if requested is None:
            return TargetName(repository=self._default_repository(source), tag=_tag_of(source))
        return _read(requested.removeprefix(f"{self.host}/"), source, host=self.host)

    def _default_repository(self, source: ImageSource) -> str:
        host = "" if source.registry in self.drop_host_for else f"{_as_name(source.registry)}/"
        # The name of an image on a Docker Engine may start with a registry's host and port.
        repository = f"{self.project}/{host}{source.repository.replace(':', '-')}"
        if len(repository) > MAX_NAME_LENGTH:
            raise _refused(
                f"The name in the target would have {len(repository)} characters, {MAX_NAME_LENGTH} are allowed; "
                "give a shorter one as `target`."
            )
        return repository


def _as_name(host: str) -> str:
    """Return a `host[:port]` in the characters of a repository: `:` becomes `-`."""
    return _NOT_IN_A_NAME.sub("-", host).strip("-.")


def _tag_of(source: ImageSource) -> str:
    if source.tag:
        return source.tag
    if source.digest is None:
        raise ValueError("a reference has a tag or a digest")
    return f"{source.digest.algorithm}-{source.digest.short}"


def _read(requested: str, source: ImageSource, *, host: str) -> TargetName:
    if "@" in requested:
        raise _refused("A target is named by tag, not by digest.")
    if ":" in requested.partition("/")[0] and "/" in requested:
        raise _refused(f"It names another registry than {host}, which is the only target; leave the registry out.")
    repository, colon, tag = requested.partition(":")
    try:
        checked = Reference.parse(f"{_ANY_HOST}/{repository}").repository
        name = TargetName(repository=checked, tag=check_tag(tag) if colon else _tag_of(source))
    except ValueError as error:
        raise _refused(f"It cannot be read: {error}.") from None
    if "/" not in repository:
        raise _refused("It needs a project: write `project/repository:tag`.")
    return name


def _refused(message: str) -> LongshoreError:
    return LongshoreError(Code.VALIDATION_FAILED, f"target: {message}", fields={"target": message})
