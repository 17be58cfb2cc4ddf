"""What an import would do, in figures. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from api_service.imports.dry_run.target_contents import Stock
from api_service.imports.source.target_name import TargetName
from shared.db.images import Image
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.oci.reference import Reference
from shared.planning.plan import ImportPlan
from shared.planning.referrers import Referrers
from shared.target.project_quota import ProjectQuota


@dataclass(frozen=True, slots=True, kw_only=True)
class Overwritten:
    """What the target's tag points to now, and the managed image that it is, if it is one."""

    digest: Digest
    image: Image | None

    def to_json(self) -> dict[str, Any]:
        """Return the fields; those of the image are null where Longshore does not manage it."""
        image = self.image
        return {
            "imageId": image.id if image else None,
            "digest": str(self.digest),
            "status": image.status.value if image else None,
            "createdBy": image.created_by if image else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPreview:
    """A plan and what refers to it, beside what the target has.

    `host` is the target's public name, `room` None where there is no limit.
    """

    source: Reference
    host: str
    target: TargetName
    plan: ImportPlan
    referrers: Referrers
    stock: Stock
    overwrites: Overwritten | None
    room: ProjectQuota | None

    def to_json(self) -> dict[str, Any]:
        """Return the dry run's `plan`; the three parts of `bytesTotal` add up to it."""
        blobs = _Sorted.of((*self.plan.blobs, *self.referrers.blobs), self.stock)
        manifests = _Sorted.of((*self.plan.manifests, *self.referrers.manifests), self.stock)
        return {
            "source": str(self.source),
            "sourceDigest": str(self.plan.source_digest),
            "target": f"{self.host}/{self.target}",
            "platforms": [str(platform) for platform in self.plan.platforms],
            "includeType": self.plan.include_type,
            "bytesTotal": blobs.size + manifests.size,
            "bytesInTarget": _size(blobs.present) + _size(manifests.present),
            "bytesMountable": _size(blobs.mountable),
            "bytesToMove": _size(blobs.missing) + _size(manifests.missing),
            "blobs": blobs.counts(),
            "manifests": manifests.counts(),
            "referrers": self.referrers.count,
            "overwrites": self.overwrites.to_json() if self.overwrites else None,
            "quotaRoom": self.room.free if self.room else None,
            "fits": self._charged(blobs, manifests) <= self.room.free if self.room else None,
        }

    def _charged(self, blobs: "_Sorted", manifests: "_Sorted") -> int:
        """Return what the target's project is charged for: a blob counts once in each project, mounted or moved."""
        project = f"{self.target.repository.partition('/')[0]}/"
        new_to_project = (blob for blob in blobs.mountable if not self.stock.elsewhere[blob.digest].startswith(project))
        return _size((*new_to_project, *blobs.missing, *manifests.missing))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sorted:
    """Content by what would have to be done for it, each digest once."""

    present: tuple[Descriptor | Manifest, ...]
    mountable: tuple[Descriptor | Manifest, ...]
    missing: tuple[Descriptor | Manifest, ...]

    @classmethod
    def of(cls, contents: Iterable[Descriptor | Manifest], stock: Stock) -> "_Sorted":
        distinct = tuple({content.digest: content for content in contents}.values())
        absent = [content for content in distinct if content.digest not in stock.present]
        return cls(
            present=tuple(content for content in distinct if content.digest in stock.present),
            mountable=tuple(content for content in absent if content.digest in stock.elsewhere),
            missing=tuple(content for content in absent if content.digest not in stock.elsewhere),
        )

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return _size((*self.present, *self.mountable, *self.missing))

    def counts(self) -> dict[str, int]:
        figures = {"inTarget": len(self.present), "mountable": len(self.mountable), "toMove": len(self.missing)}
        return {"total": sum(figures.values()), **figures}


def _size(contents: Iterable[Descriptor | Manifest]) -> int:
    return sum(content.size for content in contents)
