"""Points a tag to a manifest that its repository has."""

from shared.oci.digest import Digest
from shared.registry.repository import Repository


class _TagMovedError(Exception):
    """The tag no longer points to the digest that is replaced."""


async def point_tag(repository: Repository, tag: str, digest: Digest, *, replaces: Digest) -> bool:
    """As `TargetManagement.point_tag`, through the distribution specification, which Harbor implements as well."""

    def check(found: Digest | None) -> None:
        if found != replaces:
            raise _TagMovedError

    manifest = await repository.get_manifest(str(digest))
    try:
        await repository.put_manifest(tag, manifest, check_replaced=check)
    except _TagMovedError:
        return False
    return True
