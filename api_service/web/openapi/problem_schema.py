"""The one form of errors: RFC 9457, with a stable code from the closed list."""

from marshmallow import fields

from api_service.web.openapi.answer_fields import AnswerSchema, choice, flag, number, text
from shared.errors.codes import Side
from shared.errors.kinds import ERROR_KINDS


class FailingFieldSchema(AnswerSchema):
    field = text("The field or parameter; empty for the whole.", required=True)
    message = text("What is wrong with it.", required=True)


class ProblemSchema(AnswerSchema):
    type = text("The code as a URN.", required=True)
    title = text("What went wrong.", required=True)
    status = number("The HTTP status.", required=True, least=400)
    detail = text("What went wrong in this case.", required=True)
    code = choice(sorted(ERROR_KINDS), "What clients match on.", required=True)
    side = choice(Side, "Whose door to knock at: the source, the target, or Longshore.", required=True)
    retryable = flag("Whether another try may help without anybody changing anything.", required=True)
    hint = text("What to do.", required=True)
    requestId = text("What the logs know this request by.", required=True)
    errors = fields.List(
        fields.Nested(FailingFieldSchema), metadata={"description": "Where fields are to blame, which ones."}
    )
