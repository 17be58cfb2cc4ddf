"""The caller of a request."""

from dataclasses import dataclass

from shared.model.roles import Role

# Characters of a user's name, in a token and in the list's filter.
MAX_USER_LENGTH = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A user and a role, proved by a token."""

    user: str
    role: Role

    def may_change(self, owner: str) -> bool:
        """Return whether the caller may change images of this owner; every user may read them."""
        return self.role is Role.ADMIN or self.user == owner
