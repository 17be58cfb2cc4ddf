"""Whether an import's decision needs the target's project: it does where a rule that may allow it creates none.

Found by the policy campaign (seed 13, step 532): of two rules, the first one allowed an import to a missing project,
because the second one creates projects and the project was not asked for; the worker could not create it.
"""

import pytest

from api_service.imports.permission import Grant
from api_service.rules.authorize import Allowed, Facts, authorize
from shared.model.import_rule import ImportRule
from tests.api_service.rules.test_authorize import ADMIN, ALICE, names, rule

NO_PROJECT = rule(2)
CREATES = rule(3, create_projects=True)
NOT_HERE = rule(4, targets=("elsewhere/**",))


@pytest.mark.parametrize(
    ("rules", "needed"),
    [
        ((NO_PROJECT,), True),
        ((CREATES,), False),
        ((NO_PROJECT, CREATES), True),
        ((CREATES, NO_PROJECT), True),
        ((CREATES, NOT_HERE), False),
    ],
)
def test_the_project_is_asked_for_where_a_rule_depends_on_it(rules: tuple[ImportRule, ...], needed: bool) -> None:
    permission = authorize(rules, ALICE, names(), Facts())
    assert isinstance(permission, Allowed)
    grant = Grant(by=ALICE, names=names(), facts=Facts(), rule=permission.rule, rules=rules, max_open=1)
    assert grant.needs_project == needed


def test_an_admin_needs_no_project() -> None:
    assert not Grant(by=ADMIN, names=names(), facts=Facts(), rule=None, rules=(NO_PROJECT,), max_open=1).needs_project
