"""The decision who may import what: a table of rules, callers, names and facts."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_service.auth.identity import Identity
from api_service.rules.authorize import (
    Allowed,
    Facts,
    ForeignTag,
    Names,
    Refused,
    Remedy,
    authorize,
    explain,
    next_month,
    reaches,
)
from shared.errors.codes import Code
from shared.model.import_rule import ImportRule, Usage
from shared.model.roles import Role

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
DIGEST = "sha256:" + 64 * "a"
FOREIGN = ForeignTag(digest=DIGEST, pushed_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC))
ALICE = Identity(user="alice", role=Role.USER, groups=frozenset({"payments", "/nested/group", "Big"}))
ADMIN = Identity(user="root", role=Role.ADMIN)
FIRST = ImportRule(
    id=1, name="first", subjects=("everybody",), sources=("**",), targets=("{defaultProject}/{source}",),
    create_projects=True,
)  # fmt: skip


def rule(number: int = 2, **values: Any) -> ImportRule:
    given: dict[str, Any] = {
        "id": number,
        "name": f"rule-{number}",
        "subjects": ("everybody",),
        "sources": ("**",),
        "targets": ("**",),
    }
    return ImportRule(**given | values)


def names(target: str = "prod/app", source: str = "quay.io/team/app", derived: str = "quay.io/team/app") -> Names:
    return Names(source=source, target=target, derived=derived, default_project="imports")


@dataclass(frozen=True, kw_only=True)
class Case:
    """`allowed` is the id of the rule, 0 for admins; otherwise `code`, with these words in the detail."""

    rules: tuple[ImportRule, ...] = ()
    by: Identity = ALICE
    names: Names = field(default_factory=names)
    facts: Facts = field(default_factory=Facts)
    allowed: int | None = None
    code: Code | None = None
    words: tuple[str, ...] = ()
    retry_after: float | None = None


def used(number: int = 2, *, open_imports: int = 0, month_bytes: int = 0, **facts: Any) -> Facts:
    usage = {number: Usage(open_imports=open_imports, month_bytes=month_bytes)}
    return replace(Facts(usage=usage, now=NOW), **facts)


SOURCE, TARGET, LIMIT, TAG = (
    Code.SOURCE_NOT_ALLOWED,
    Code.TARGET_NOT_ALLOWED,
    Code.LIMIT_REACHED,
    Code.TARGET_TAG_FOREIGN,
)
CASES = {
    # Subjects.
    "no rules": Case(code=SOURCE, words=("No import rule applies to alice",)),
    "admin without rules": Case(by=ADMIN, allowed=0),
    "everybody": Case(rules=(rule(),), allowed=2),
    "user": Case(rules=(rule(subjects=("user:alice",)),), allowed=2),
    "another user": Case(rules=(rule(subjects=("user:bob", "user:alice2", "alice")),), code=SOURCE),
    "group": Case(rules=(rule(subjects=("group:payments",)),), allowed=2),
    "group with a slash": Case(rules=(rule(subjects=("group:/nested/group",)),), allowed=2),
    "another group": Case(rules=(rule(subjects=("group:pay", "user:payments", "group:alice")),), code=SOURCE),
    "the name for display is no subject": Case(
        rules=(rule(subjects=("user:alice",)),),
        by=Identity(user="alice", role=Role.USER, issuer="https://idp", subject="f1c5"),
        code=SOURCE,
    ),
    "the subject of an issuer": Case(
        rules=(rule(subjects=("user:f1c5",)),),
        by=Identity(user="alice", role=Role.USER, issuer="https://idp", subject="f1c5"),
        allowed=2,
    ),
    # Sources and targets.
    "source": Case(rules=(rule(sources=("docker.io/**", "quay.io/team/*")),), allowed=2),
    "another source": Case(
        rules=(rule(sources=("docker.io/**", "quay.io/other/*")),),
        code=SOURCE,
        words=("quay.io/team/app", "allowed sources: docker.io/**, quay.io/other/*"),
    ),
    "target": Case(rules=(rule(targets=("prod/*",)),), allowed=2),
    "another target": Case(
        rules=(rule(targets=("stage/**", "{user}/**")),),
        code=TARGET,
        words=("to prod/app", "allowed targets: stage/**, alice/**"),
    ),
    "source and target of two rules do not add up": Case(
        rules=(rule(2, sources=("docker.io/**",)), rule(3, targets=("stage/**",))), code=TARGET, words=("stage/**",)
    ),
    "first rule, derived name": Case(rules=(FIRST,), names=names("imports/quay.io/team/app"), allowed=1),
    "first rule, other name": Case(rules=(FIRST,), code=TARGET, words=("imports/quay.io/team/app",)),
    "first rule, name of another source": Case(
        rules=(FIRST,), names=names("imports/docker.io/library/postgres"), code=TARGET
    ),
    "first rule, longer name": Case(rules=(FIRST,), names=names("imports/quay.io/team/app/more"), code=TARGET),
    # Placeholders.
    "user's targets": Case(rules=(rule(targets=("{user}/**",)),), names=names("alice/app"), allowed=2),
    "another user's targets": Case(rules=(rule(targets=("{user}/**",)),), names=names("alice2/app"), code=TARGET),
    "group within a part": Case(rules=(rule(targets=("team-{group}/**",)),), names=names("team-payments/a"), allowed=2),
    "another group's targets": Case(rules=(rule(targets=("team-{group}/**",)),), names=names("team-x/a"), code=TARGET),
    "a group that is no name": Case(rules=(rule(targets=("{group}/**",)),), names=names("big/app"), code=TARGET),
    "a user who is no name": Case(
        rules=(rule(targets=("{user}/**",)),),
        by=Identity(user="**", role=Role.USER),
        names=names("prod/app"),
        code=TARGET,
        words=("allowed targets: none",),
    ),
    "the same group twice": Case(
        rules=(rule(targets=("{group}/{group}",)),),
        by=replace(ALICE, groups=frozenset({"a", "b"})),
        names=names("a/b"),
        code=TARGET,
    ),
    # Projects.
    "missing project, may create": Case(
        rules=(rule(create_projects=True),), facts=Facts(project_exists=False), allowed=2
    ),
    "missing project, may not": Case(
        rules=(rule(),), facts=Facts(project_exists=False), code=TARGET, words=("no project prod", "rule-2")
    ),
    "existing project": Case(rules=(rule(),), facts=Facts(project_exists=True), allowed=2),
    "unknown project": Case(rules=(rule(),), facts=Facts(project_exists=None), allowed=2),
    "missing project, another rule creates": Case(
        rules=(rule(2), rule(3, create_projects=True)), facts=Facts(project_exists=False), allowed=3
    ),
    "missing project, admin": Case(by=ADMIN, facts=Facts(project_exists=False), allowed=0),
    # Foreign tags.
    "foreign": Case(
        rules=(rule(),), facts=Facts(foreign_tag=FOREIGN), code=TAG, words=(DIGEST, "2026-01-02 03:04 UTC", "rule-2")
    ),
    "foreign, force": Case(rules=(rule(),), facts=Facts(foreign_tag=FOREIGN, force=True), code=TAG, words=("rule-2",)),
    "foreign, granted": Case(
        rules=(rule(overwrite_foreign=True),), facts=Facts(foreign_tag=FOREIGN), code=TAG, words=("`force` is needed",)
    ),
    "foreign, granted, force": Case(
        rules=(rule(overwrite_foreign=True),), facts=Facts(foreign_tag=FOREIGN, force=True), allowed=2
    ),
    "foreign, admin": Case(by=ADMIN, facts=Facts(foreign_tag=FOREIGN), code=TAG, words=("`force` is needed",)),
    "foreign, admin, force": Case(by=ADMIN, facts=Facts(foreign_tag=FOREIGN, force=True), allowed=0),
    "foreign, another rule grants": Case(
        rules=(rule(2), rule(3, overwrite_foreign=True)), facts=Facts(foreign_tag=FOREIGN, force=True), allowed=3
    ),
    "force alone grants nothing": Case(rules=(rule(subjects=("user:bob",)),), facts=Facts(force=True), code=SOURCE),
    # Limits.
    "image of exactly the limit": Case(rules=(rule(max_image_bytes=100),), facts=Facts(image_bytes=100), allowed=2),
    "image above the limit": Case(
        rules=(rule(max_image_bytes=100),), facts=Facts(image_bytes=101), code=LIMIT, words=("maxImageBytes", "101")
    ),
    "image of unknown size": Case(rules=(rule(max_image_bytes=100),), allowed=2),
    "below the open imports": Case(rules=(rule(max_open_imports=2),), facts=used(open_imports=1), allowed=2),
    "at the open imports": Case(
        rules=(rule(max_open_imports=2),),
        facts=used(open_imports=2),
        code=LIMIT,
        words=("maxOpenImports", "rule-2", "2 imports are open", "when one of them ends"),
    ),
    "the rest of the month": Case(
        rules=(rule(max_bytes_per_month=100),), facts=used(month_bytes=60, image_bytes=40), allowed=2
    ),
    "more than the rest of the month": Case(
        rules=(rule(max_bytes_per_month=100),),
        facts=used(month_bytes=60, image_bytes=41),
        code=LIMIT,
        words=("maxBytesPerMonth", "40 of 100 bytes are left", "the image has 41", "renews on 2026-12-01"),
        retry_after=12 * 3600,
    ),
    "nothing left in the month": Case(
        rules=(rule(max_bytes_per_month=100),),
        facts=used(month_bytes=130),
        code=LIMIT,
        words=("0 of 100",),
        retry_after=12 * 3600,
    ),
    "more than a whole month": Case(
        rules=(rule(max_bytes_per_month=100),), facts=used(image_bytes=101), code=LIMIT, words=("a whole month's",)
    ),
    "usage of another rule": Case(rules=(rule(max_open_imports=1),), facts=used(3, open_imports=1), allowed=2),
    "another rule has room": Case(
        rules=(rule(2, max_open_imports=1), rule(3)), facts=used(2, open_imports=1), allowed=3
    ),
    "limits are not for admins": Case(
        rules=(rule(max_image_bytes=1),), by=ADMIN, facts=Facts(image_bytes=100), allowed=0
    ),
    # The order of refusals.
    "no fact about a target that no rule has": Case(
        rules=(rule(targets=("stage/**",)),), facts=Facts(foreign_tag=FOREIGN, project_exists=False), code=TARGET
    ),
    "no fact about a target to strangers": Case(facts=Facts(foreign_tag=FOREIGN), code=SOURCE),
    "the refusal that ends most easily": Case(
        rules=(rule(2), rule(3, create_projects=True, max_open_imports=1)),
        facts=used(3, open_imports=1, project_exists=False),
        code=LIMIT,
    ),
    "waiting goes before a smaller image": Case(
        rules=(rule(2, max_image_bytes=1), rule(3, max_open_imports=1)),
        facts=used(3, open_imports=1, image_bytes=2),
        code=LIMIT,
        words=("maxOpenImports",),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_decision(case: Case) -> None:
    found = authorize(case.rules, case.by, case.names, case.facts)
    if case.allowed is not None:
        assert isinstance(found, Allowed), found
        assert (found.rule.id if found.rule else 0) == case.allowed
        return
    assert isinstance(found, Refused), found
    assert (found.code, found.retry_after) == (case.code, case.retry_after)
    assert all(words in found.detail for words in case.words), found.detail


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_refusal_of_names_has_no_fact_about_the_target(case: Case) -> None:
    """A caller whose rules do not reach a target gets the same refusal, whatever is there."""
    found = authorize(case.rules, case.by, case.names, case.facts)
    if not reaches(case.rules, case.by, case.names):
        assert found == authorize(case.rules, case.by, case.names, Facts())


def test_a_refusal_is_an_error_with_its_hint() -> None:
    refused = Refused(code=Code.LIMIT_REACHED, detail="Too many.", remedy=Remedy.WAIT, retry_after=5.0)
    error = refused.error
    assert (error.code, error.detail, error.retry_after) == (Code.LIMIT_REACHED, "Too many.", 5.0)
    assert "administrator" in error.kind.hint


def test_many_allowed_names_are_counted() -> None:
    found = authorize([rule(sources=tuple(f"host{number}/**" for number in range(9)))], ALICE, names(), Facts())
    assert isinstance(found, Refused)
    assert found.detail.endswith("host4/**, 4 more.")


def test_each_rule_of_the_caller_is_explained() -> None:
    rules = [
        rule(2, sources=("docker.io/**",)),
        rule(3, targets=("stage/**",)),
        rule(4),
        rule(5, subjects=("user:bob",)),
    ]
    explained = {each.id: reason for each, reason in explain(rules, ALICE, names())}
    assert explained.keys() == {2, 3, 4}
    assert "docker.io/**" in explained[2]
    assert "stage/**" in explained[3]
    assert explained[4] == "It allows the import."


@pytest.mark.parametrize(
    ("now", "renews"),
    [
        (datetime(2026, 11, 30, 23, 59, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime.fromisoformat("2027-01-01T00:30:00+02:00"), datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_month_ends_in_utc(now: datetime, renews: datetime) -> None:
    assert next_month(now) == renews


RULES = st.builds(
    rule,
    st.integers(1, 4),
    subjects=st.sampled_from([("everybody",), ("user:alice",), ("user:bob",), ("group:payments",)]),
    sources=st.sampled_from([("**",), ("docker.io/**",), ("quay.io/**",)]),
    targets=st.sampled_from([("**",), ("prod/**",), ("{user}/**",), ("{defaultProject}/{source}",)]),
    create_projects=st.booleans(),
    overwrite_foreign=st.booleans(),
    max_open_imports=st.sampled_from([None, 1, 2]),
    max_bytes_per_month=st.sampled_from([None, 100]),
)
FACTS = st.builds(
    Facts,
    force=st.booleans(),
    project_exists=st.sampled_from([None, True, False]),
    foreign_tag=st.sampled_from([None, FOREIGN]),
    image_bytes=st.sampled_from([None, 50, 150]),
    usage=st.dictionaries(
        st.integers(1, 4), st.builds(Usage, open_imports=st.integers(0, 2), month_bytes=st.integers(0, 120))
    ),
    now=st.just(NOW),
)
SEVERAL = st.lists(RULES, max_size=4, unique_by=lambda each: each.id)


@given(rules=SEVERAL, more=RULES, facts=FACTS)
def test_another_rule_never_takes_a_permission_away(rules: list[ImportRule], more: ImportRule, facts: Facts) -> None:
    """There is no rule that denies."""
    if isinstance(authorize(rules, ALICE, names(), facts), Allowed):
        assert isinstance(authorize([*rules, more], ALICE, names(), facts), Allowed)
        assert isinstance(authorize([more, *rules], ALICE, names(), facts), Allowed)


@given(rules=SEVERAL, facts=FACTS)
def test_the_permission_is_that_of_one_rule_alone(rules: list[ImportRule], facts: Facts) -> None:
    """Two rules never allow together what neither allows."""
    alone = [each for each in rules if isinstance(authorize([each], ALICE, names(), facts), Allowed)]
    found = authorize(rules, ALICE, names(), facts)
    assert (found.rule if isinstance(found, Allowed) else None) == (alone[0] if alone else None)
