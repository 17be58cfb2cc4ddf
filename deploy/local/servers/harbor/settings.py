"""The accounts of the stand-in, and its settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

# The actions of each project role: a short form of Harbor's src/common/rbac/project/rbac_role.go.
ROLES: Mapping[str, frozenset[str]] = {
    "admin": frozenset({"read", "pull", "push", "delete", "quota", "configure"}),
    "developer": frozenset({"read", "pull", "push", "quota"}),
    "guest": frozenset({"read", "pull", "quota"}),
}
# The usual actions of a robot account that pushes and deletes images. Reading the quota is not among them.
ROBOT_ACTIONS = ("read", "pull", "push", "delete")


@dataclass(frozen=True, kw_only=True)
class User:
    """`admin`: of the whole system. `roles` are by project; the creator of a project is its admin."""

    name: str
    password: str = field(repr=False)
    admin: bool = False
    roles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Robot:
    """A robot account; its `name` has Harbor's prefix (`robot$name`, `robot$project+name`).

    Without `projects` it is a robot of the system, for all projects. The action "create" lets such a robot create
    projects.
    """

    name: str
    secret: str = field(repr=False)
    projects: tuple[str, ...] = ()
    actions: tuple[str, ...] = ROBOT_ACTIONS


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`quota` is the quota of a new project in bytes, -1 without a limit; None switches quotas off.

    `creation` is Harbor's project_creation_restriction: everyone or adminonly. `read_only` is its read-only mode.
    """

    users: tuple[User, ...] = ()
    robots: tuple[Robot, ...] = ()
    quota: int | None = -1
    creation: str = "everyone"
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Launch:
    """The configuration of the process: its port, docker-registry's URL, and the file of its state."""

    port: int
    upstream: str
    state: str
    settings: Settings

    def write(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, path: Path) -> Launch:
        """Read the JSON of `write`."""
        document: dict[str, Any] = json.loads(path.read_text())
        settings = document.pop("settings")
        users = tuple(User(**user) for user in settings.pop("users"))
        robots = tuple(
            Robot(**{**robot, "projects": tuple(robot["projects"]), "actions": tuple(robot["actions"])})
            for robot in settings.pop("robots")
        )
        return cls(**document, settings=Settings(**settings, users=users, robots=robots))
