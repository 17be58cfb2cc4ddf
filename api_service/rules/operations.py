"""The OpenAPI operations about import rules."""

from http import HTTPStatus

from api_service.rules.answers import ImportRuleSchema, ImportRulesSchema
from api_service.rules.requests import NewRuleSchema, RuleChangeSchema
from api_service.web.openapi.operation import Answer, Operation, codes
from shared.errors.codes import Code

_TAG = "import rules"
_ONE = Answer(description="The rule.", schemas=(ImportRuleSchema,))

LIST = Operation(
    id="listImportRules",
    tag=_TAG,
    summary="List import rules",
    description=(
        "Admins see all rules. A user sees those that apply to this user, with the own subjects alone and the own "
        "usage of the limits. An import that no rule allows is refused; admins need no rule."
    ),
    answers=(Answer(description="Without pages, in the order in which they are tried.", schemas=(ImportRulesSchema,)),),
)
CREATE = Operation(
    id="createImportRule",
    tag=_TAG,
    summary="Create an import rule",
    description=(
        "A rule allows; no rule forbids. In patterns, `*` stands for characters within a part between slashes, `**` "
        "for any number of parts."
    ),
    body=NewRuleSchema,
    answers=(
        Answer(
            description="Created.",
            schemas=(ImportRuleSchema,),
            status=HTTPStatus.CREATED,
            headers={"Location": "The rule."},
        ),
    ),
    codes=codes(Code.RULE_EXISTS, Code.RULE_LIMIT_REACHED),
)
GET = Operation(
    id="getImportRule",
    tag=_TAG,
    summary="One import rule",
    answers=(_ONE,),
    codes=codes(Code.RULE_NOT_FOUND),
)
CHANGE = Operation(
    id="changeImportRule",
    tag=_TAG,
    summary="Change an import rule",
    description=(
        "A merge patch (RFC 7396): null removes a limit, an absent field stays. Imports that are queued are compared "
        "with the rules again when a worker claims them."
    ),
    body=RuleChangeSchema,
    answers=(_ONE,),
    codes=codes(Code.RULE_NOT_FOUND, Code.RULE_EXISTS),
)
DELETE = Operation(
    id="deleteImportRule",
    tag=_TAG,
    summary="Delete an import rule",
    description="Queued imports that no other rule allows end as refused when a worker claims them.",
    answers=(Answer(description="Deleted. The body is empty."),),
    codes=codes(Code.RULE_NOT_FOUND),
)
