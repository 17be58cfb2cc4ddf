"""Where an import reads its blobs from, as far as it decides which blobs of other projects the import may have."""

from dataclasses import dataclass

# Stands for every host: a blob that an import has read without an account is public.
PUBLIC = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobOrigin:
    """The registry that an import reads, as references name it, and whether the import has an account there.

    `host` is None for a source that proves nothing to other projects, such as a Docker Engine.
    """

    host: str | None
    with_account: bool

    @property
    def proof(self) -> str | None:
        """What reading a blob here proves: PUBLIC, this host, or nothing."""
        return self.host if self.with_account or self.host is None else PUBLIC


NO_ORIGIN = BlobOrigin(host=None, with_account=True)
