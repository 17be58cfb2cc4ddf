"""The content of the stand-in, and how pushes and deletions change it."""

from __future__ import annotations

import pickle
from pathlib import Path

from deploy.local.servers.harbor.artifact import Artifact, Manifest, Tag, now
from deploy.local.servers.harbor.errors import conflict, not_found, precondition, referenced
from deploy.local.servers.harbor.project import Project, Repository


class State:
    """The content of Harbor's database. `blobs` are all that were ever pushed: there is no garbage collection."""

    def __init__(self) -> None:
        self.projects: dict[str, Project] = {}
        self.blobs: dict[str, int] = {}
        self.uploads: dict[str, int] = {}
        self._last_id = 0

    @classmethod
    def load(cls, path: Path) -> State:
        """Load the saved state, or return a new one."""
        if not path.exists():
            return cls()
        state: State = pickle.loads(path.read_bytes())  # noqa: S301 - this process wrote the file.
        return state

    def save(self, path: Path) -> None:
        path.write_bytes(pickle.dumps(self))

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def create_project(self, name: str, *, public: bool = False, hard: int = -1, owner: str = "") -> Project:
        """Create a project; its owner becomes its admin."""
        if name in self.projects:
            raise conflict(f"The project named {name} already exists")
        members = {owner: "admin"} if owner else {}
        project = Project(id=self.next_id(), name=name, public=public, hard=hard, members=members)
        self.projects[name] = project
        return project

    def project(self, name: str) -> Project:
        if name not in self.projects:
            raise not_found(f"project {name} not found")
        return self.projects[name]

    def repository(self, name: str) -> Repository:
        """Return a repository by its full name."""
        found = self.projects.get(name.partition("/")[0])
        if found is None or name not in found.repositories:
            raise not_found(f"repository {name} not found")
        return found.repositories[name]

    def artifact(self, repository: str, reference: str) -> Artifact:
        """Return an artifact by tag or digest (GetByReference)."""
        if ":" not in reference:
            tag = self.repository(repository).tags.get(reference)
            if tag is None:
                raise not_found(f"artifact {repository}:{reference} not found")
            reference = tag.digest
        found = self.projects.get(repository.partition("/")[0])
        held = found.repositories.get(repository) if found else None
        if held is None or reference not in held.artifacts:
            raise not_found(f"artifact {repository}@{reference} not found")
        return held.artifacts[reference]

    def add_blob(self, project: Project, digest: str, size: int) -> None:
        """Count a blob for the quota of a project, once."""
        self.blobs[digest] = size
        project.blobs[digest] = size

    def missing(self, project: Project, manifest: Manifest) -> int:
        """Return the bytes that a manifest adds to a project (src/server/middleware/quota/put_manifest.go)."""
        if manifest.digest in project.blobs:
            return 0
        absent = (size for digest, size in manifest.blobs.items() if digest not in project.blobs)
        return manifest.length + sum(absent)

    def add_manifest(self, project: Project, name: str, manifest: Manifest, tag: str | None) -> None:
        """Create the artifact of a manifest that docker-registry has stored.

        Raises 404 if a child is not an artifact of this repository (src/controller/artifact/manifest/index.go), even if
        docker-registry still has it.
        """
        repository = project.repositories.get(name) or Repository(id=self.next_id(), name=name)
        project.repositories[name] = repository
        if manifest.digest not in repository.artifacts:
            repository.artifacts[manifest.digest] = self._abstracted(repository, manifest)
        for digest, size in repository.artifacts[manifest.digest].blobs.items():
            self.add_blob(project, digest, size)
        if tag is not None:
            self.set_tag(repository, tag, manifest.digest)

    def set_tag(self, repository: Repository, name: str, digest: str) -> None:
        """Point a tag to an artifact; a tag that already does is not changed."""
        known = repository.tags.get(name)
        if known is None:
            repository.tags[name] = Tag(id=self.next_id(), name=name, digest=digest)
        elif known.digest != digest:
            known.digest, known.pushed = digest, now()

    def delete_tag(self, project: Project, repository: Repository, digest: str, name: str) -> None:
        """Remove a tag; the artifact stays, even without tags."""
        tag = repository.tags.get(name)
        if tag is None or tag.digest != digest:
            raise not_found(f"tag {name} attached to artifact {repository.artifacts[digest].id} not found")
        self._check_mutable(project, repository, tag)
        del repository.tags[name]

    def delete_artifact(self, project: Project, repository: Repository, digest: str) -> None:
        """Delete an artifact with all its tags, and its children that nothing else refers to (deleteDeeply)."""
        if repository.parents_of(digest):
            raise referenced("the deleting artifact is referenced by others")
        tags = repository.tags_of(digest)
        for tag in tags:
            self._check_mutable(project, repository, tag)
        for tag in tags:
            del repository.tags[tag.name]
        self._remove(project, repository, digest)

    def _abstracted(self, repository: Repository, manifest: Manifest) -> Artifact:
        children = [self.artifact(repository.name, child["digest"]) for child in manifest.children]
        size = manifest.length + sum(manifest.blobs.values()) + sum(child.size for child in children)
        return Artifact(id=self.next_id(), manifest=manifest, size=size)

    def _check_mutable(self, project: Project, repository: Repository, tag: Tag) -> None:
        if project.immutable(repository, tag.name):
            raise precondition(f"the tag {tag.name} configured as immutable, cannot be deleted")

    def _remove(self, project: Project, repository: Repository, digest: str) -> None:
        artifact = repository.artifacts.pop(digest)
        needed = {blob for other in project.artifacts() for blob in other.blobs}
        for blob in artifact.blobs.keys() - needed:
            project.blobs.pop(blob, None)
        for child in artifact.children:
            held = repository.tags_of(child) or repository.parents_of(child)
            if child in repository.artifacts and not held:
                self._remove(project, repository, child)
