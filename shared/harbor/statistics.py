"""Figures about all of Harbor (GET /statistics)."""

from dataclasses import dataclass

from shared.harbor.documents import Document, count


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Projects and repositories, and the bytes of all blobs, which only a system administrator is told.

    To anyone else, robot accounts among them whatever their level, Harbor says 0 for every total
    (src/server/v2.0/handler/statistic.go, src/common/security/robot/context.go). Then `storage` is None, because it is
    not known, `complete` is False, and the counts are of what the account may see.
    """

    projects: int
    repositories: int
    storage: int | None
    complete: bool

    @classmethod
    def from_json(cls, document: Document) -> "Statistics":
        projects = count(document, "total_project_count")
        if not projects:
            return cls._visible(document)
        # Old versions have no such field.
        known = "total_storage_consumption" in document
        return cls(
            projects=projects,
            repositories=count(document, "total_repo_count"),
            storage=count(document, "total_storage_consumption") if known else None,
            complete=True,
        )

    @classmethod
    def _visible(cls, document: Document) -> "Statistics":
        return cls(
            projects=count(document, "public_project_count") + count(document, "private_project_count"),
            repositories=count(document, "public_repo_count") + count(document, "private_repo_count"),
            storage=None,
            complete=False,
        )
