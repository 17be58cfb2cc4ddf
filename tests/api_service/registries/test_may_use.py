"""The decision who may use a stored account: subject, repository and target must all fit."""

import pytest

from api_service.auth.identity import Identity
from api_service.registries.may_use import is_user, may_use, visible_access
from shared.model.account_access import AccountAccess
from shared.model.roles import Role

ADA = Identity(user="ada", role=Role.USER, groups=frozenset({"payments", "cn=Odd Group"}))
EVE = Identity(user="eve", role=Role.USER)
ADMIN = Identity(user="root", role=Role.ADMIN)
# A person whose display name is another user's subject.
IMPOSTOR = Identity(user="ada", role=Role.USER, issuer="https://issuer.example.com", subject="5f0c")


def access(
    *subjects: str, repositories: tuple[str, ...] = ("**",), targets: tuple[str, ...] = ("**",)
) -> AccountAccess:
    return AccountAccess(subjects=subjects, repositories=repositories, targets=targets)


def allowed(
    given: AccountAccess | None, by: Identity, repository: str = "team/app", target: str = "payments/app"
) -> bool:
    return may_use(given, by, repository=repository, target=target)


@pytest.mark.parametrize("by", [ADA, EVE, IMPOSTOR])
def test_without_a_list_admins_alone_may(by: Identity) -> None:
    assert not allowed(None, by)
    assert not is_user(None, by)
    assert allowed(None, ADMIN)
    assert is_user(None, ADMIN)


def test_admins_need_no_entry() -> None:
    assert allowed(access("user:ada", repositories=("other",), targets=("other/app",)), ADMIN)


@pytest.mark.parametrize(
    ("subject", "by", "may"),
    [
        ("everybody", ADA, True),
        ("everybody", EVE, True),
        ("user:ada", ADA, True),
        ("user:ada", EVE, False),
        ("user:ada", IMPOSTOR, False),
        ("user:5f0c", IMPOSTOR, True),
        ("group:payments", ADA, True),
        ("group:payments", EVE, False),
        ("group:ada", ADA, False),
        ("user:payments", ADA, False),
    ],
)
def test_the_caller_is_a_subject_or_in_a_group(subject: str, by: Identity, may: bool) -> None:
    """The subject counts, not the display name."""
    assert allowed(access(subject), by) is may
    assert is_user(access(subject), by) is may


@pytest.mark.parametrize(
    ("pattern", "repository", "may"),
    [
        ("team/*", "team/app", True),
        ("team/*", "team/deep/app", False),
        ("team/**", "team/deep/app", True),
        ("team", "team/app", False),
        ("*/app", "other/app", True),
        ("team/app", "Team/app", False),
    ],
)
def test_the_repository_fits_a_pattern(pattern: str, repository: str, may: bool) -> None:
    assert allowed(access("everybody", repositories=("nothing", pattern)), ADA, repository=repository) is may


@pytest.mark.parametrize(
    ("pattern", "by", "target", "may"),
    [
        ("payments/**", EVE, "payments/a/b", True),
        ("payments/**", EVE, "payments-2/a", False),
        ("{group}/**", ADA, "payments/a", True),
        ("{group}/**", EVE, "payments/a", False),
        ("{user}/**", ADA, "ada/a", True),
        ("{user}/**", EVE, "ada/a", False),
        ("{user}/**", IMPOSTOR, "ada/a", False),
    ],
)
def test_the_target_fits_a_pattern_with_the_caller_in_it(pattern: str, by: Identity, target: str, may: bool) -> None:
    """A group whose name is no repository's stands for nothing."""
    assert allowed(access("everybody", targets=(pattern,)), by, target=target) is may


def test_a_user_sees_the_subjects_that_apply() -> None:
    given = access("user:eve", "group:payments", "everybody")
    assert visible_access(given, ADMIN) == given
    seen = visible_access(given, ADA)
    assert seen
    assert seen.subjects == ("group:payments", "everybody")
    assert visible_access(access("user:eve"), ADA) is None
