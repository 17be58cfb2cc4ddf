"""Takes off the tags that stand for what refers to a manifest, when that is gone from a plain registry.

Harbor does so by itself: there, signatures and the like are parts of the artifact.
"""

from shared.db import images
from shared.db.database import Database
from shared.oci.digest import Digest
from shared.oci.referrer import companion_tags, referrers_tag
from shared.target.management import TargetManagement
from shared.target.settings import TargetKind


async def sweep_referrers(
    database: Database, target: TargetManagement, *, registry_host: str, repository: str, digest: Digest
) -> None:
    """Remove cosign's tags and the list of referrers, and theirs in turn, unless the manifest is still there.

    What they point to goes where nothing else needs it. A tag that is an image of Longshore's own stays. It ends,
    because each step into the depth has taken a tag away.
    """
    if target.kind is not TargetKind.REGISTRY or await target.find_tag(repository, str(digest)):
        return
    for tag in (*companion_tags(digest), referrers_tag(digest)):
        found = await target.find_tag(repository, tag)
        if found and not await _is_image(database, registry_host, repository, tag):
            await target.remove_tag(repository, tag, found, siblings=False)
            await sweep_referrers(database, target, registry_host=registry_host, repository=repository, digest=found)


async def _is_image(database: Database, registry_host: str, repository: str, tag: str) -> bool:
    async with database.connection() as connection:
        image = await images.find_image(connection, registry_host=registry_host, repository=repository, tag=tag)
    return image is not None
