"""Decides who sees the content of an image: its digests, and the layers of its imports.

An image whose source needed an account is shown in full to its owner, to admins, and to callers whose import rules
allow its source and its target. Other callers see that it exists, and its size, platforms and state.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from api_service.auth.identity import Identity
from api_service.rules.authorize import Names, reaches
from api_service.rules.rule_book import RuleBook
from api_service.rules.subjects import has_subject
from shared.model.import_rule import ImportRule
from shared.model.owner import Owner
from shared.model.roles import Role
from shared.oci.engine_image import ImageSource, parse_source

# Returns the names by which rules know a source and a repository of the target.
NamesOf: TypeAlias = Callable[[ImageSource, str], Names]

_DIGEST = re.compile(r"sha(256|512)[:-][0-9a-fA-F]{12,128}")
HIDDEN_DIGEST = "sha256:…"


class Content(Protocol):
    """An image as its content's visibility depends on it. `content_source` is where the content came from."""

    @property
    def id(self) -> int: ...
    @property
    def owner(self) -> Owner: ...
    @property
    def source_private(self) -> bool: ...
    @property
    def content_source(self) -> str: ...
    @property
    def repository(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentVisibility:
    """Decides in memory, with one look at the rules for all images of a request, and none if no image is private."""

    book: RuleBook
    names: NamesOf

    async def hidden(self, images: Iterable[Content], by: Identity) -> frozenset[int]:
        """Return the ids of the images whose content the caller does not see."""
        if by.role is Role.ADMIN:
            return frozenset()
        foreign = [image for image in images if image.source_private and image.owner != by.owner]
        if not foreign:
            return frozenset()
        rules = [rule for rule in await self.book.current() if has_subject(rule.subjects, by)]
        return frozenset(
            image.id for image in foreign if not self._reaches(rules, by, image.content_source, image.repository)
        )

    async def hides_import(self, source: str, image: Content, by: Identity) -> bool:
        """Return whether the caller does not see the layers of an import that needs an account for this source."""
        if by.may_change(image.owner):
            return False
        return not self._reaches(await self.book.current(), by, source, image.repository)

    def _reaches(self, rules: Sequence[ImportRule], by: Identity, source: str, repository: str) -> bool:
        try:
            return reaches(rules, by, self.names(parse_source(source), repository))
        except ValueError:
            # A source of an older release's form: no rule can name it.
            return False


def without_digests(text: str) -> str:
    """Return a sentence without the digests in it."""
    return _DIGEST.sub(HIDDEN_DIGEST, text)


def without_digest(source: str) -> str:
    """Return a reference without its digest."""
    return source.partition("@")[0]
