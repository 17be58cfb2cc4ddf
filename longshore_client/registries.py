"""Source registries whose accounts the API has stored, and changes of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

from longshore_client.answers import Json, Key


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRegistry:
    """A stored registry; the API never returns its password. `raw` is the API's own object."""

    id: int
    name: str
    url: str
    username: str | None
    """None for a registry without an account."""
    default: Annotated[bool, Key("isDefault")]
    """Whether the registry is used for sources that name none."""
    user: Annotated[str, Key("createdBy")]
    """The admin who stored it."""
    raw: Json = field(repr=False, compare=False)


class RegistryChanges(TypedDict, total=False):
    """The fields to change; a field that is left out stays. A new `url` needs the account again."""

    name: str
    url: str
    username: str | None
    """None, together with the password's None, removes the account."""
    password: str | None
    default: bool


def changes_json(changes: RegistryChanges) -> Mapping[str, Any]:
    """Return the body of `PATCH /image-registries/:id`."""
    return {"isDefault" if key == "default" else key: value for key, value in changes.items()}
