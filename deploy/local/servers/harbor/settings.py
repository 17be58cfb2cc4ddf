"""Who may do what in the stand-in, and how it is set up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

# A project's roles, with what each may do there: a short form of Harbor's src/common/rbac/project/rbac_role.go.
ROLES: Mapping[str, frozenset[str]] = {
    "admin": frozenset({"read", "pull", "push", "delete", "quota", "configure"}),
    "developer": frozenset({"read", "pull", "push", "quota"}),
    "guest": frozenset({"read", "pull", "quota"}),
}
# What a robot account is usually given for pushing and deleting images: the quota is not among it.
ROBOT_ACTIONS = ("read", "pull", "push", "delete")


@dataclass(frozen=True, kw_only=True)
class User:
    """`admin`: of the whole system. `roles` are by project; who creates a project is its admin."""

    name: str
    password: str = field(repr=False)
    admin: bool = False
    roles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Robot:
    """A robot account; its `name` has Harbor's prefix (`robot$name`, `robot$project+name`).

    Without `projects` it is one of the system, for all of them; with the action "create" such a one makes projects.
    """

    name: str
    secret: str = field(repr=False)
    projects: tuple[str, ...] = ()
    actions: tuple[str, ...] = ROBOT_ACTIONS


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`quota` is what a new project may hold, in bytes, -1 without a limit; None switches quotas off.

    `creation` is Harbor's project_creation_restriction: everyone or adminonly. `read_only` is its read-only mode.
    """

    users: tuple[User, ...] = ()
    robots: tuple[Robot, ...] = ()
    quota: int | None = -1
    creation: str = "everyone"
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Launch:
    """What the stand-in's process is told: where to listen, docker-registry's URL, and where to keep its state."""

    port: int
    upstream: str
    state: str
    settings: Settings

    def write(self) -> str:
        """Write it as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, path: Path) -> Launch:
        """Read what `write` wrote."""
        document: dict[str, Any] = json.loads(path.read_text())
        settings = document.pop("settings")
        users = tuple(User(**user) for user in settings.pop("users"))
        robots = tuple(
            Robot(**{**robot, "projects": tuple(robot["projects"]), "actions": tuple(robot["actions"])})
            for robot in settings.pop("robots")
        )
        return cls(**document, settings=Settings(**settings, users=users, robots=robots))
