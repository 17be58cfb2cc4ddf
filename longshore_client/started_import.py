"""The API's answer to an import that it takes."""

from dataclasses import dataclass

from longshore_client.answer import Json, need

_ALREADY_THERE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedImport:
    """An import under way, or an image that was there `already`; `message` is one sentence for a person."""

    image_id: int
    name: str
    already: bool
    message: str

    @classmethod
    def of(cls, document: Json) -> "StartedImport":
        """Read the API's answer."""
        return cls(
            image_id=need(document, "imageId", int),
            name=need(document, "name", str),
            already=need(document, "state", int) == _ALREADY_THERE,
            message=need(document, "message", str),
        )
