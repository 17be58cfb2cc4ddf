"""Source registries whose accounts the API has stored: who may use them, changes, and a test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict, Unpack

from longshore_client.answers import Json, Key, decode, objects
from longshore_client.calls import Calls
from longshore_client.import_request import Account

_PATH = "/image-registries"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAccess:
    """The users that may use a stored account, for which repositories, and into which targets; all three must fit."""

    subjects: tuple[str, ...]
    """`everybody`, `user:NAME` and `group:NAME`."""
    repositories: tuple[str, ...]
    """Patterns of repositories at the source, without its host: `team/*`, `**`."""
    targets: tuple[str, ...]
    """Patterns of `project/repository` in the target; `{user}` and `{group}` stand for the caller's."""

    def to_json(self) -> Mapping[str, Any]:
        """Return the value of `access` in a request body."""
        lists = {"subjects": self.subjects, "repositories": self.repositories, "targets": self.targets}
        return {name: list(values) for name, values in lists.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRegistry:
    """A stored registry; the API never returns its password. `raw` is the API's own object."""

    id: int
    name: str
    url: str
    username: str | None
    """None for a registry without an account, and for callers that may not use the account."""
    has_account: Annotated[bool, Key("hasPassword")] = False
    """Whether there is an account, also one that the caller may not use."""
    default: Annotated[bool, Key("isDefault")]
    """Whether the registry is used for sources that name none."""
    user: Annotated[str, Key("createdBy")]
    """The admin who stored it."""
    access: RegistryAccess | None
    """None: admins alone may use the account."""
    raw: Json = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryStep:
    """A step of a test."""

    name: str
    """`reach`, `signIn` or `answer`."""
    result: str
    """`done`, `failed` or `skipped`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestedRegistry:
    """The result of a test, made now with the stored account. `raw` is the API's own object."""

    # pytest collects classes of this name prefix.
    __test__ = False

    ok: bool
    """Whether the registry answers and accepts the account."""
    message: str = ""
    """One sentence for a person."""
    code: str = ""
    """The error's code, if it is not well."""
    hint: str = ""
    steps: tuple[RegistryStep, ...] = ()
    raw: Json = field(repr=False, compare=False)


class RegistryChanges(TypedDict, total=False):
    """The fields to change; a field that is left out stays. A new `url` needs the account again."""

    name: str
    url: str
    username: str | None
    """None, together with the password's None, removes the account."""
    password: str | None
    default: bool
    access: RegistryAccess | None
    """None: admins alone."""


def changes_json(changes: RegistryChanges) -> Mapping[str, Any]:
    """Return the body of `PATCH /image-registries/:id`."""
    given: dict[str, Any] = {"isDefault" if key == "default" else key: value for key, value in changes.items()}
    if access := changes.get("access"):
        given["access"] = access.to_json()
    return given


class RegistryOperations(Calls):
    """The operations on stored registries: users list all, and test those whose account they may use; admins do all."""

    async def registries(self) -> Sequence[StoredRegistry]:
        """Return the stored source registries."""
        stored = objects(await self._get(_PATH), "registries")
        return [decode(StoredRegistry, entry) for entry in stored]

    async def add_registry(
        self,
        name: str,
        url: str,
        *,
        account: Account | None = None,
        default: bool = False,
        access: RegistryAccess | None = None,
    ) -> StoredRegistry:
        """Store a source registry with its account; without `access`, admins alone may use the account."""
        body: dict[str, Any] = {"name": name, "url": url, "isDefault": default}
        if account:
            body |= {"username": account.username, "password": account.password}
        if access:
            body["access"] = access.to_json()
        return decode(StoredRegistry, await self._post(_PATH, body))

    async def change_registry(self, registry_id: int, **changes: Unpack[RegistryChanges]) -> StoredRegistry:
        """Change the given fields of a stored registry.

        ```python
        await longshore.change_registry(1, username=None, password=None)
        ```
        """
        return decode(StoredRegistry, await self._patch(f"{_PATH}/{registry_id}", changes_json(changes)))

    async def test_registry(self, registry_id: int) -> TestedRegistry:
        """Connect to a stored registry and sign in with its account; a failure is a result, not an exception."""
        return decode(TestedRegistry, await self._post(f"{_PATH}/{registry_id}:test"))

    async def delete_registry(self, registry_id: int) -> None:
        """Delete a stored registry with its account."""
        await self._delete(f"{_PATH}/{registry_id}")
