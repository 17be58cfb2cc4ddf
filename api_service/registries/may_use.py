"""Decides whether a caller may use a stored registry's account for an import. Pure."""

from dataclasses import replace

from api_service.auth.identity import Identity
from api_service.rules.patterns import matches
from api_service.rules.subjects import caller_values, expand, has_subject, own_subjects
from shared.model.account_access import AccountAccess
from shared.model.roles import Role


def may_use(access: AccountAccess | None, by: Identity, *, repository: str, target: str) -> bool:
    """Return whether the caller may import this repository of the account's host into this repository of the target.

    Without an access list, admins alone may; admins may always.
    """
    if by.role is Role.ADMIN:
        return True
    if access is None or not has_subject(access.subjects, by):
        return False
    of_source = any(matches(pattern, repository) for pattern in access.repositories)
    return of_source and any(
        matches(expanded, target) for pattern in access.targets for expanded in expand(pattern, caller_values(by))
    )


def is_user(access: AccountAccess | None, by: Identity) -> bool:
    """Return whether the caller is one of the account's users, for some repositories and targets."""
    return by.role is Role.ADMIN or (access is not None and has_subject(access.subjects, by))


def visible_access(access: AccountAccess | None, by: Identity) -> AccountAccess | None:
    """Return the part of an access list that the caller sees: admins all of it, a user the subjects that are theirs."""
    if access is None or by.role is Role.ADMIN:
        return access
    own = own_subjects(access.subjects, by)
    return replace(access, subjects=own) if own else None
