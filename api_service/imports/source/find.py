"""Finds the image that a request names. Each kind of source is one class that implements SourceKind."""

from collections.abc import Sequence
from typing import Protocol

from api_service.auth.identity import Identity
from api_service.imports.request import ImportRequest
from api_service.imports.source.target_name import TargetName
from shared.model.credential import Credential
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.engine_image import ImageSource
from shared.oci.platform import Platform
from shared.planning.referrers import ReferrersSource


class PlannableImage(ReferrersSource, Protocol):
    """An image that this process can read, so that it can plan an import."""

    async def look_up(self) -> Digest:
        """Return the digest that the reference points to."""
        ...

    async def has_blob(self, blob: Descriptor) -> bool:
        """Return whether the source confirms, to the request's account, that it has the blob with this size."""
        ...


class FoundSource(Protocol):
    """The image that a request names, and the account to read it with."""

    @property
    def reference(self) -> ImageSource: ...

    @property
    def credential(self) -> Credential | None:
        """The account, or None for anonymous access."""
        ...

    @property
    def unresolved_reason(self) -> str:
        """Part of a sentence that explains a `resolve` that returned None."""
        ...

    async def resolve(self, platforms: Sequence[Platform]) -> Digest | None:
        """Return the digest that the reference points to, or None if the caller does not learn it in time.

        Raises the source's permanent errors: `source_*`, `manifest_unsupported`, `platform_not_available`.
        """
        ...

    def open(self) -> PlannableImage:
        """Return the image for planning; raises `validation_failed` if only a worker can read it."""
        ...


class NamedSource(Protocol):
    """The image that a request names, before the account to read it with is chosen."""

    @property
    def reference(self) -> ImageSource: ...

    def for_import(self, target: TargetName, by: Identity) -> FoundSource:
        """Return the image with the account that this caller may use to import it to the target.

        Raises the errors of credentials that cannot be used.
        """
        ...


class SourceKind(Protocol):
    """One kind of place that images are imported from."""

    def recognizes(self, source: str) -> bool:
        """Return whether a request's `source` is of this kind."""
        ...

    async def name(self, request: ImportRequest, by: Identity) -> NamedSource:
        """Return the image that the request names; raises the errors of a request that cannot be accepted."""
        ...


class SourceFinder:
    """Asks the first kind that recognizes a request's source; the last kind must recognize every source."""

    def __init__(self, *, kinds: Sequence[SourceKind]) -> None:
        self._kinds = kinds

    async def name(self, request: ImportRequest, by: Identity) -> NamedSource:
        """Return the image that the request names. Its target's name follows from it, and the account from both.

        Raises `reference_malformed`, `source_registry_conflict`, `validation_failed`, and `docker_source_disabled`.
        """
        kind = next(kind for kind in self._kinds if kind.recognizes(request.source))
        return await kind.name(request, by)
