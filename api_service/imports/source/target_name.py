"""The repository and tag of an image in the target."""

from dataclasses import dataclass

from api_service.audit.note import note_object
from api_service.imports.source.mirror_name import (
    Host,
    host_named,
    host_of,
    is_host_name,
    is_host_without_doubt,
    mirror_name,
)
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.engine_image import ImageSource
from shared.oci.reference import MAX_NAME_LENGTH, Reference, check_tag
from shared.oci.referrer import is_companion_tag

# A placeholder host, so that the reference grammar can check a name in the target.
_ANY_HOST = "target.invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetName:
    """`repository:tag`; the repository's first part is the project."""

    repository: str
    tag: str

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetNaming:
    """The operator's rules for names. `host` is the target's public host, which a caller may put before a name.

    A name below the default project says where an image comes from, so it is given to sources of that host alone.
    """

    host: str
    project: str
    drop_host_for: frozenset[str] = frozenset()

    def name(self, source: ImageSource, requested: str | None) -> TargetName:
        """Return the requested name, or `<project>/<source host>/<source repository>:<tag>`.

        The host is `docker-daemon` for a source on a Docker Engine. Without a requested tag, the tag is the source's,
        or `sha256-<12 hex digits>` if the source has only a digest. Raises `validation_failed` and
        `target_not_allowed`.
        """
        if requested is None:
            name = TargetName(repository=self._default_repository(source), tag=_tag_of(source))
        else:
            name = _read(requested.removeprefix(f"{self.host}/"), source, host=self.host)
        note_object(str(name))
        self.check(source, name)
        return name

    def derived(self, source: ImageSource) -> str:
        """Return the part of the default name that is below the default project, without the tag."""
        host = "" if source.registry in self.drop_host_for else f"{mirror_name(source)}/"
        # The name of an image on a Docker Engine may start with a registry's host and port.
        return f"{host}{source.repository.replace(':', '-')}"

    def check(self, source: ImageSource, name: TargetName) -> None:
        """Raise `target_not_allowed` if the name would say that the image comes from another host, or what it is not.

        No role and no rule changes that.
        """
        _check_no_companion(source, name.tag)
        project, _, rest = name.repository.partition("/")
        if project == self.project:
            self._check_mirror_name(source, rest)

    def _default_repository(self, source: ImageSource) -> str:
        repository = f"{self.project}/{self.derived(source)}"
        if len(repository) > MAX_NAME_LENGTH:
            raise _refused(
                f"The name in the target would have {len(repository)} characters, {MAX_NAME_LENGTH} are allowed; "
                "give a shorter one as `target`."
            )
        return repository

    def _check_mirror_name(self, source: ImageSource, rest: str) -> None:
        first, below, _ = rest.partition("/")
        own = host_of(source)
        if below and (is_host_without_doubt(first) or (not self.drop_host_for and is_host_name(first))):
            owner = host_named(first)
            if owner != own:
                raise _reserved(f"Names below {self.project}/{first}/", str(owner), own)
        elif self.drop_host_for and source.registry not in self.drop_host_for:
            raise _reserved(f"Names below {self.project}/ without a host", ", ".join(sorted(self.drop_host_for)), own)


def _tag_of(source: ImageSource) -> str:
    return source.tag or _short_digest(source)


def _short_digest(source: ImageSource) -> str:
    if source.digest is None:
        raise ValueError("a reference has a tag or a digest")
    return f"{source.digest.algorithm}-{source.digest.short}"


def _check_no_companion(source: ImageSource, tag: str) -> None:
    if not is_companion_tag(tag) or (source.tag is None and tag == _short_digest(source)):
        return
    raise LongshoreError(
        Code.TARGET_NOT_ALLOWED,
        f"The tag {tag} would belong to another image: tags such as sha256-….sig hold signatures and the like. "
        "Choose a `target` with another tag; referrers are imported with their image.",
    )


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


def _reserved(names: str, owner: str, own: Host) -> LongshoreError:
    return LongshoreError(
        Code.TARGET_NOT_ALLOWED,
        f"{names} are for images of {owner}, and this image comes from {own}. Choose a `target` in another project.",
    )


def _refused(message: str) -> LongshoreError:
    return LongshoreError(Code.VALIDATION_FAILED, f"target: {message}", fields={"target": message})
