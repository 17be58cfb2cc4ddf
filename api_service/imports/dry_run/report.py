"""The result of a dry run: what the import would do, in figures. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from api_service.imports.dry_run.target_contents import TargetContents
from api_service.imports.request import AnswerState
from api_service.imports.source.target_name import TargetName
from shared.db.images import Image
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.engine_image import ImageSource
from shared.oci.manifest import Manifest
from shared.planning.plan import ImportPlan
from shared.planning.referrers import Referrers
from shared.target.project_quota import ProjectQuota

Content: TypeAlias = Descriptor | Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentByAction:
    """Blobs or manifests, each digest once, by what the import would do with them."""

    present: tuple[Content, ...]
    """Nothing: the target's repository has them."""
    mountable: tuple[Content, ...]
    """Mount them from another repository of the target."""
    missing: tuple[Content, ...]
    """Copy them from the source."""

    @classmethod
    def of(cls, contents: Iterable[Content], target: TargetContents) -> "ContentByAction":
        """Sort the contents by their presence in the target."""
        distinct = tuple({content.digest: content for content in contents}.values())
        absent = [content for content in distinct if content.digest not in target.present]
        return cls(
            present=tuple(content for content in distinct if content.digest in target.present),
            mountable=tuple(content for content in absent if content.digest in target.mountable),
            missing=tuple(content for content in absent if content.digest not in target.mountable),
        )

    @property
    def all(self) -> tuple[Content, ...]:
        """Return all contents."""
        return (*self.present, *self.mountable, *self.missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overwritten:
    """The digest that the target's tag points to now, and the image, if Longshore manages it.

    `digest` is None for a caller from whom the image's content is hidden.
    """

    digest: Digest | None
    image: Image | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPreview:
    """A plan with its referrers, compared with the contents of the target.

    `host` is the target's public name. `quota` is None if the project has no limit or it is not known.
    """

    source: ImageSource
    host: str
    target: TargetName
    plan: ImportPlan
    referrers: Referrers
    contents: TargetContents
    overwrites: Overwritten | None
    quota: ProjectQuota | None

    @property
    def blobs(self) -> ContentByAction:
        """The blobs of the plan and of the referrers."""
        return ContentByAction.of((*self.plan.blobs, *self.referrers.blobs), self.contents)

    @property
    def manifests(self) -> ContentByAction:
        """The manifests of the plan and of the referrers."""
        return ContentByAction.of((*self.plan.manifests, *self.referrers.manifests), self.contents)

    @property
    def fits(self) -> bool | None:
        """Whether the project's quota is enough; None if there is no quota to compare with."""
        return self._charged_bytes() <= self.quota.free if self.quota else None

    def _charged_bytes(self) -> int:
        """Return the bytes that the target's project is charged for: a blob counts once in each project."""
        project = f"{self.target.repository.partition('/')[0]}/"
        blobs, manifests = self.blobs, self.manifests
        new_to_project = (
            blob for blob in blobs.mountable if not self.contents.mountable[blob.digest].startswith(project)
        )
        return total_size((*new_to_project, *blobs.missing, *manifests.missing))


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunReport:
    """The answer to a dry run. `already_image_id` is 0 unless the state is EXISTS.

    `allowed_by` is the name of the import rule that allows the import, or `admin`.
    """

    state: AnswerState
    message: str
    already_image_id: int
    preview: ImportPreview
    allowed_by: str


def total_size(contents: Iterable[Content]) -> int:
    """Return the bytes of all these contents."""
    return sum(content.size for content in contents)
