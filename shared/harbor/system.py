"""Harbor's reports about itself: its health (GET /health, without an account) and its statistics (GET /statistics)."""

from dataclasses import dataclass

from shared.harbor.documents import Document, count, objects, optional_text, text

HEALTHY = "healthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One part of Harbor: core, database, jobservice, portal, redis, registry, registryctl, trivy."""

    name: str
    healthy: bool
    error: str | None = None

    @classmethod
    def from_json(cls, document: Document) -> "Component":
        healthy = document.get("status") == HEALTHY
        return cls(name=text(document, "name"), healthy=healthy, error=optional_text(document, "error"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """`healthy` only if every component is."""

    healthy: bool
    components: tuple[Component, ...] = ()

    @classmethod
    def from_json(cls, document: Document) -> "Health":
        components = tuple(Component.from_json(item) for item in objects(document, "components"))
        return cls(healthy=text(document, "status") == HEALTHY, components=components)

    @property
    def unhealthy(self) -> tuple[str, ...]:
        """The names of the components that are not healthy."""
        return tuple(component.name for component in self.components if not component.healthy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The numbers of projects and repositories, and the bytes of all blobs, which only a system administrator sees.

    To other users, and to every robot account whatever its level, Harbor reports 0 for all totals
    (src/server/v2.0/handler/statistic.go, src/common/security/robot/context.go). Then `storage` is None, because it is
    not known, `complete` is False, and the numbers cover the projects that the account can see.
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
