"""Import rules: which users may import which sources into which targets, and within which limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, TypedDict, Unpack

from longshore_client.answers import Json, Key, decode, objects
from longshore_client.calls import Calls

_PATH = "/import-rules"
# Field names of the API that differ from the camel case of this client's.
_KEYS = {
    "create_projects": "createProjects",
    "overwrite_foreign_tags": "overwriteForeignTags",
    "max_image_bytes": "maxImageBytes",
    "max_open_imports": "maxOpenImports",
    "max_bytes_per_month": "maxBytesPerMonth",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleUsage:
    """The part of a rule's limits that the caller has used, and the moment at which the month's bytes renew."""

    open_imports: int = 0
    month_bytes: int = 0
    renews: Annotated[datetime | None, Key("renewsTime")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRule:
    """A rule: its subjects may import its sources into its targets. A limit of None is no limit.

    `raw` is the API's own object.
    """

    id: int
    name: str
    subjects: tuple[str, ...]
    """`everybody`, `user:NAME` and `group:NAME`."""
    sources: tuple[str, ...]
    """Patterns of `host/repository`; `*` is a part of the name, `**` any number of parts."""
    targets: tuple[str, ...]
    """Patterns of `project/repository`; may have `{user}`, `{group}`, `{defaultProject}` and `{source}`."""
    create_projects: bool = False
    """Whether missing projects are created."""
    overwrite_foreign_tags: bool = False
    """Whether `force` replaces tags that Longshore did not write."""
    max_image_bytes: int | None
    max_open_imports: int | None
    """Limit of each user's imports that are under way."""
    max_bytes_per_month: int | None
    """Limit of each user's bytes in a calendar month, UTC."""
    weight: int = 1
    """How many of a user's imports run for each one of a user with weight 1, while both wait."""
    user: Annotated[str, Key("createdBy")] = ""
    """The admin who created it; empty for users who may not know."""
    created: Annotated[datetime | None, Key("createdTime")]
    updated: Annotated[datetime | None, Key("updatedTime")]
    usage: RuleUsage | None
    """The caller's own usage, if the API sends it."""
    raw: Json = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsideredRule:
    """A rule that was compared with an import; `reason` says why it does not allow it, or that it does."""

    id: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCheck:
    """Whether the rules allow an import. `raw` is the API's own object."""

    allowed: bool
    message: str
    """One sentence for a person: the rule that allows it, or why none does."""
    source: str
    """`host/repository`, as patterns see it."""
    target: str
    """`project/repository:tag`."""
    rule_id: int | None
    """The rule that allows it; None if none does, or if the caller is an admin and needs none."""
    code: str = ""
    """The error's code, if it is refused."""
    hint: str = ""
    rules: tuple[ConsideredRule, ...] = ()
    """The rules that were compared."""
    raw: Json = field(repr=False, compare=False)


class RuleChanges(TypedDict, total=False):
    """The fields of a rule to set; a field that is left out stays, and None removes a limit."""

    name: str
    subjects: Sequence[str]
    sources: Sequence[str]
    targets: Sequence[str]
    create_projects: bool
    overwrite_foreign_tags: bool
    max_image_bytes: int | None
    max_open_imports: int | None
    max_bytes_per_month: int | None
    weight: int


def rule_json(fields: RuleChanges) -> Mapping[str, Any]:
    """Return the body of a request that creates or changes a rule."""
    given: Mapping[str, Any] = dict(fields)
    return {
        _KEYS.get(name, name): list(value) if name in {"subjects", "sources", "targets"} else value
        for name, value in given.items()
    }


class RuleOperations(Calls):
    """The operations on import rules. Users list the rules that apply to them; admins manage all."""

    async def rules(self) -> Sequence[ImportRule]:
        """Return all rules to an admin, and to a user those that apply to this user, with the usage of their limits."""
        return [decode(ImportRule, entry) for entry in objects(await self._get(_PATH), "rules")]

    async def create_rule(self, **fields: Unpack[RuleChanges]) -> ImportRule:
        """Create a rule; raises the ApiErrors `rule_exists` and `rule_limit_reached`.

        ```python
        await longshore.create_rule(
            name="team-a", subjects=["group:team-a"], sources=["quay.io/**"], targets=["team-a/**"]
        )
        ```
        """
        return decode(ImportRule, await self._post(_PATH, rule_json(fields)))

    async def change_rule(self, rule_id: int, **changes: Unpack[RuleChanges]) -> ImportRule:
        """Change the given fields of a rule; raises the ApiError `rule_not_found`.

        ```python
        await longshore.change_rule(2, max_open_imports=None)
        ```
        """
        return decode(ImportRule, await self._patch(f"{_PATH}/{rule_id}", rule_json(changes)))

    async def delete_rule(self, rule_id: int) -> None:
        """Delete a rule. Imports that it allowed and that are still queued are refused when a worker claims them."""
        await self._delete(f"{_PATH}/{rule_id}")

    async def check_rules(
        self, source: str, target: str | None = None, *, user: str | None = None, groups: Sequence[str] = ()
    ) -> RuleCheck:
        """Return whether the rules allow an import; `user` and `groups` are another user's, and need an admin's token.

        Neither the source nor the target is asked, and nothing is written.
        """
        body: dict[str, Any] = {"source": source}
        if target:
            body["target"] = target
        if user is not None:
            body |= {"user": user, "groups": list(groups)}
        return decode(RuleCheck, await self._post(f"{_PATH}:check", body))
