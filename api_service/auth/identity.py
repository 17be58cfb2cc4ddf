"""The caller of a request."""

from dataclasses import dataclass
from datetime import datetime

from shared.model.owner import LONGSHORE, Owner, Requester
from shared.model.roles import Role

# Characters of a user's name, in a token and in the list's filter.
MAX_USER_LENGTH = 128
# Characters of `sub` (OIDC Core, 2).
MAX_SUBJECT_LENGTH = 255
# Characters of a group's name: directories have names such as `cn=platform,ou=teams,dc=example,dc=com`.
MAX_GROUP_LENGTH = 255
# Groups of one token. Each is stored with every import and compared with every rule; a request's header has no room for
# more than about 400.
MAX_GROUPS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A user and a role, proved by a token.

    `user` is a name for display. `issuer` and `subject` identify the user; a `subject` of None means `user`. `groups`
    are those that the token names. `token_id` is None unless it is an API token; `expires_at` is the token's end.
    """

    user: str
    role: Role
    issuer: str = LONGSHORE
    subject: str | None = None
    groups: frozenset[str] = frozenset()
    token_id: int | None = None
    expires_at: datetime | None = None

    @property
    def owner(self) -> Owner:
        """The owner of what this caller creates."""
        return Owner.of(self.issuer, self.subject, user=self.user)

    @property
    def requester(self) -> Requester:
        """The part of the identity that an import keeps."""
        return Requester(user=self.user, owner=self.owner, role=self.role, groups=self.groups)

    def may_change(self, owner: Owner) -> bool:
        """Return whether the caller may change images of this owner."""
        return self.role is Role.ADMIN or self.owner == owner
