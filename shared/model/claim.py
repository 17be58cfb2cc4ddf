"""One worker's claim of an import, which every request, row and report of its attempt names."""

from typing import Protocol
from uuid import UUID


class OfClaim(Protocol):
    """Names a claim: an import's row names the newest one, a worker's message the one that it comes from.

    The token is random. It tells apart two claims with the same attempt: a failover of the database may lose the commit
    of the first one. It is None for a claim by a worker of an earlier release.
    """

    @property
    def attempt(self) -> int:
        """The attempt that the claim began."""
        ...

    @property
    def claim_token(self) -> UUID | None:
        """The claim's random token."""
        ...


def same_claim(one: OfClaim, other: OfClaim) -> bool:
    """Return whether both name the same claim of an import."""
    return (one.attempt, one.claim_token) == (other.attempt, other.claim_token)
