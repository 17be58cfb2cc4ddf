"""Who makes a request."""

from dataclasses import dataclass

from shared.model.roles import Role

# Characters of a user's name, in a token and in the list's filter.
MAX_USER_LENGTH = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A user with a role, as a token proves it."""

    user: str
    role: Role

    def may_change(self, owner: str) -> bool:
        """Tell whether images of this owner may be changed; all may be seen."""
        return self.role is Role.ADMIN or self.user == owner
