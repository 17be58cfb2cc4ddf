"""Harbor's objects as JSON.

Go renders a nil list as null: an artifact without tags has `"tags": null`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from deploy.local.servers.harbor.artifact import Artifact, Tag
from deploy.local.servers.harbor.project import Project, Repository

# Go's zero time.
NEVER = "0001-01-01T00:00:00.000Z"


def moment(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def project_view(project: Project) -> dict[str, Any]:
    return {
        "project_id": project.id,
        "owner_id": 1,
        "name": project.name,
        "creation_time": moment(project.created),
        "update_time": moment(project.created),
        "deleted": False,
        "repo_count": len(project.repositories),
        "metadata": {"public": "true" if project.public else "false"},
    }


def summary_view(project: Project, *, quota: bool) -> dict[str, Any]:
    view: dict[str, Any] = {"repo_count": len(project.repositories)}
    if quota:
        view["quota"] = {"hard": {"storage": project.hard}, "used": {"storage": project.used}}
    return view


def quota_view(project: Project) -> dict[str, Any]:
    """Render a quota; its id is that of its project."""
    return {
        "id": project.id,
        "ref": {"id": project.id, "name": project.name, "owner_name": "admin"},
        "creation_time": moment(project.created),
        "update_time": moment(project.created),
        "hard": {"storage": project.hard},
        "used": {"storage": project.used},
    }


def repository_view(project: Project, repository: Repository) -> dict[str, Any]:
    return {
        "id": repository.id,
        "project_id": project.id,
        "name": repository.name,
        "artifact_count": len(repository.listed()),
        "pull_count": 0,
        "creation_time": moment(repository.created),
        "update_time": moment(repository.created),
    }


def artifact_view(
    project: Project, repository: Repository, artifact: Artifact, *, tags: bool, immutable: bool
) -> dict[str, Any]:
    shown = [tag_view(project, repository, tag, immutable=immutable) for tag in repository.tags_of(artifact.digest)]
    return {
        "id": artifact.id,
        "type": "IMAGE",
        "media_type": artifact.manifest.config_media_type,
        "manifest_media_type": artifact.manifest.media_type,
        "project_id": project.id,
        "repository_id": repository.id,
        "repository_name": repository.name,
        "digest": artifact.digest,
        "size": artifact.size,
        "icon": "",
        "push_time": moment(artifact.pushed),
        "pull_time": NEVER,
        "extra_attrs": {},
        "annotations": artifact.manifest.annotations or None,
        "references": [reference_view(repository, artifact, child) for child in artifact.manifest.children] or None,
        "tags": (tags and shown) or None,
        "addition_links": {},
        "labels": None,
        "accessories": None,
    }


def reference_view(repository: Repository, parent: Artifact, child: dict[str, Any]) -> dict[str, Any]:
    platform = child.get("platform") or {}
    return {
        "parent_id": parent.id,
        "child_id": repository.artifacts[child["digest"]].id,
        "child_digest": child["digest"],
        "platform": {key: platform.get(key, "") for key in ("architecture", "os", "variant")},
        "annotations": child.get("annotations"),
        "urls": None,
    }


def tag_view(project: Project, repository: Repository, tag: Tag, *, immutable: bool) -> dict[str, Any]:
    """Render a tag; `immutable` includes whether a rule protects it."""
    return {
        "id": tag.id,
        "repository_id": repository.id,
        "artifact_id": repository.artifacts[tag.digest].id,
        "name": tag.name,
        "push_time": moment(tag.pushed),
        "pull_time": NEVER,
        "immutable": immutable and project.immutable(repository, tag.name),
    }
