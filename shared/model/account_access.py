"""The access list of a stored registry's account."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountAccess:
    """The imports that may use the account: `subjects` import `repositories` of its host into `targets`.

    Subjects and patterns are those of import rules. All three must fit.
    """

    subjects: tuple[str, ...]
    repositories: tuple[str, ...]
    targets: tuple[str, ...]
