"""Steps of other registry clients, which Longshore does not observe."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from deploy.local.stack import LocalStackError
from shared.oci.digest import Digest
from shared.target.settings import TargetKind
from tests.stateful.contents import CONTENTS
from tests.stateful.play import BY_HAND, Place, Play


@dataclass(frozen=True, kw_only=True)
class MoveSource:
    """Another image is pushed to the source's tag."""

    source: Place
    content: int

    async def take(self, play: Play, *, alone: bool) -> None:
        await play.move_source(self.source, self.content)


@dataclass(frozen=True, kw_only=True)
class PushByHand:
    """Another client pushes to the target: to a managed tag or to another one."""

    place: Place
    content: int

    async def take(self, play: Play, *, alone: bool) -> None:
        image = CONTENTS[self.content]
        # Harbor creates no project on a push.
        with suppress(LocalStackError):
            await asyncio.to_thread(play.world.remote.push, play.full(self.place[0]), self.place[1], image)
        play.may_be[self.place].add(image.digest)
        play.disturbed.add(self.place)
        play.by_hand.add(self.place)


@dataclass(frozen=True, kw_only=True)
class TagByHand:
    """Another client adds a tag to an image of the target, which Longshore does not know."""

    place: Place

    async def take(self, play: Play, *, alone: bool) -> None:
        repository, hand = play.full(self.place[0]), (self.place[0], BY_HAND)
        digest = await play.world.serves(repository, self.place[1])
        for image in CONTENTS:
            if image.digest == digest:
                await asyncio.to_thread(play.world.remote.push_manifest, repository, BY_HAND, image.root)
                play.may_be[hand].add(digest)


@dataclass(frozen=True, kw_only=True)
class DeleteByHand:
    """Another client deletes the manifest of a tag in the target, with all its tags."""

    place: Place

    async def take(self, play: Play, *, alone: bool) -> None:
        repository = play.full(self.place[0])
        digest = await play.world.serves(repository, self.place[1])
        if digest is None:
            return
        # Harbor keeps the children of an index.
        with suppress(LocalStackError):
            await asyncio.to_thread(play.world.remote.delete_manifest, repository, digest)
        for place, digests in play.may_be.items():
            if place[0] == self.place[0] and digest in digests:
                digests.add(None)
                play.disturbed.add(place)
                play.by_hand.add(place)


@dataclass(frozen=True, kw_only=True)
class Untag:
    """Another client removes one tag through Harbor's API."""

    place: Place

    async def take(self, play: Play, *, alone: bool) -> None:
        repository = play.full(self.place[0])
        digest = await play.world.serves(repository, self.place[1])
        if digest is None or play.world.kind is not TargetKind.HARBOR:
            return
        await play.world.untag(repository, Digest.parse(digest), self.place[1])
        play.may_be[self.place].add(None)
        play.disturbed.add(self.place)
        play.by_hand.add(self.place)
