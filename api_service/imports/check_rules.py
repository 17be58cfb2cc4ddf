"""The use case behind POST /import-rules:check: whether the rules allow an import, without asking source or target."""

from collections.abc import Sequence
from dataclasses import dataclass

from api_service.auth.identity import Identity
from api_service.imports.permission import ImportPermissions
from api_service.imports.request import ImportRequest, RuleCheckRequest
from api_service.imports.source.find import SourceFinder
from api_service.imports.source.target_name import TargetName, TargetNaming
from api_service.rules.authorize import Facts, Permission, authorize, explain
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.import_rule import ImportRule
from shared.model.roles import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCheck:
    """The permission by the names alone, and the caller's rules, each with a sentence about these names."""

    source: str
    target: TargetName
    permission: Permission
    considered: Sequence[tuple[ImportRule, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChecker:
    """Compares imports with the rules. Usage of limits, the image and the target's tag are not looked at."""

    finder: SourceFinder
    naming: TargetNaming
    permissions: ImportPermissions

    async def check(self, request: RuleCheckRequest, by: Identity) -> RuleCheck:
        """Return whether a rule has the caller, the source and the target.

        Raises `forbidden` where a user asks for another, and the errors of a request that cannot be accepted.
        """
        of = _identity(request, by)
        named = await self.finder.name(ImportRequest(source=request.source), of)
        target = self.naming.name(named.reference, request.target)
        names = self.permissions.names(named.reference, target.repository)
        rules = await self.permissions.book.current()
        return RuleCheck(
            source=names.source,
            target=target,
            permission=authorize(rules, of, names, Facts()),
            considered=explain(rules, of, names),
        )


def _identity(request: RuleCheckRequest, by: Identity) -> Identity:
    if request.user is None and not request.groups:
        return by
    if by.role is not Role.ADMIN:
        raise LongshoreError(Code.FORBIDDEN, "Only an admin may check the rules for another user.")
    return Identity(user=request.user or by.user, role=Role.USER, groups=frozenset(request.groups))
