"""Harbor's health (GET /health, which asks for no account)."""

from dataclasses import dataclass

from shared.harbor.documents import Document, objects, optional_text, text

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
    def ailing(self) -> tuple[str, ...]:
        """The names of the components that are not healthy."""
        return tuple(component.name for component in self.components if not component.healthy)
