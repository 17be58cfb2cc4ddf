"""Source registries whose accounts the API has stored."""

from dataclasses import dataclass, field

from longshore_client.answer import Json, maybe, need


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRegistry:
    """A registry; its password never comes out again. `raw` is the API's own object."""

    id: int
    name: str
    url: str
    username: str | None
    default: bool
    user: str
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def of(cls, document: Json) -> "StoredRegistry":
        """Read the API's answer."""
        return cls(
            id=need(document, "id", int),
            name=need(document, "name", str),
            url=need(document, "url", str),
            username=maybe(document, "username", str),
            default=need(document, "isDefault", bool),
            user=need(document, "createdBy", str),
            raw=document,
        )
