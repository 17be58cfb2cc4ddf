"""The account that sends a request, and its rights."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.local.servers.harbor.project import Project
from deploy.local.servers.harbor.settings import ROLES, Robot, Settings, User

ANY = "*"
# The actions that every caller may do in a public project.
PUBLIC_ACTIONS = frozenset({"read", "pull"})
ALL_ACTIONS = frozenset().union(*ROLES.values())


@dataclass(frozen=True, kw_only=True)
class Caller:
    """An account; anonymous if it has no name. `rights` are actions by project, or for ANY project.

    `system`: a robot of the system instead of a project. A robot is never a system administrator, whatever its rights
    (src/common/security/robot/context.go).
    """

    name: str = ""
    admin: bool = False
    robot: bool = False
    system: bool = False
    rights: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def can(self, action: str, project: Project) -> bool:
        if self.admin or (project.public and action in PUBLIC_ACTIONS):
            return True
        role = "" if self.robot else project.members.get(self.name, "")
        member = ROLES.get(role, frozenset[str]()) if self.name else frozenset[str]()
        given = self.rights.get(project.name, frozenset()) | self.rights.get(ANY, frozenset()) | member
        return action in given


def identify(settings: Settings, authorization: str) -> Caller:
    """Return the account of Basic credentials; anonymous for wrong ones.

    Harbor treats wrong credentials like none: public content is served, and everything else is 401.
    """
    name, password = _basic(authorization)
    for user in settings.users:
        if name == user.name and hmac.compare_digest(password.encode(), user.password.encode()):
            return of_user(user)
    for robot in settings.robots:
        if name == robot.name and hmac.compare_digest(password.encode(), robot.secret.encode()):
            return of_robot(robot)
    return Caller()


def of_user(user: User) -> Caller:
    return Caller(
        name=user.name, admin=user.admin, rights={project: ROLES[role] for project, role in user.roles.items()}
    )


def of_robot(robot: Robot) -> Caller:
    actions = frozenset(robot.actions)
    rights = dict.fromkeys(robot.projects or (ANY,), actions)
    return Caller(name=robot.name, robot=True, system=not robot.projects, rights=rights)


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password
