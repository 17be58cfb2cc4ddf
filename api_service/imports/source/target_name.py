"""Where an image goes in the target: its repository and tag there."""

import re
from dataclasses import dataclass

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.engine_image import ImageSource
from shared.oci.reference import MAX_NAME_LENGTH, Reference, check_tag

# Stands for the target's host where the reference grammar is used to check a name.
_ANY_HOST = "target.invalid"
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9.]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetName:
    """`repository:tag`, the project being the repository's first part."""

    repository: str
    tag: str

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetNaming:
    """The operator's rules. `host` is the target's own, which a caller may put in front of a name."""

    host: str
    project: str
    drop_host_for: frozenset[str] = frozenset()

    def name(self, source: ImageSource, wanted: str | None) -> TargetName:
        """Return the name that the caller wants, else `<project>/<source host>/<source repository>:<tag>`.

        `docker-daemon` stands for the host where the source is on an engine. The source's tag holds where none is
        given; a source named by digest alone gets `sha256-<12 hex digits>`.
        Raises `validation_failed`.
        """
        if wanted is None:
            return TargetName(repository=self._default_repository(source), tag=_tag_of(source))
        return _read(wanted.removeprefix(f"{self.host}/"), source, host=self.host)

    def _default_repository(self, source: ImageSource) -> str:
        host = "" if source.registry in self.drop_host_for else f"{_as_name(source.registry)}/"
        # What is on an engine may have a registry's name in front of its own.
        repository = f"{self.project}/{host}{source.repository.replace(':', '-')}"
        if len(repository) > MAX_NAME_LENGTH:
            raise _refused(
                f"The name in the target would have {len(repository)} characters, {MAX_NAME_LENGTH} are allowed; "
                "give a shorter one as `target`."
            )
        return repository


def _as_name(host: str) -> str:
    """Write a `host[:port]` with the characters that a repository may have: `:` becomes `-`."""
    return _NOT_IN_A_NAME.sub("-", host).strip("-.")


def _tag_of(source: ImageSource) -> str:
    if source.tag:
        return source.tag
    if source.digest is None:
        raise ValueError("a reference has a tag or a digest")
    return f"{source.digest.algorithm}-{source.digest.short}"


def _read(wanted: str, source: ImageSource, *, host: str) -> TargetName:
    if "@" in wanted:
        raise _refused("A target is named by tag, not by digest.")
    if ":" in wanted.partition("/")[0] and "/" in wanted:
        raise _refused(f"It names another registry than {host}, which is the only target; leave the registry out.")
    repository, colon, tag = wanted.partition(":")
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
