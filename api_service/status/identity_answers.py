"""The form of the answer about a token itself."""

from api_service.web.openapi.answer_fields import AnswerSchema, choice, text
from shared.model.roles import Role


class IdentitySchema(AnswerSchema):
    userName = text("Whom the token stands for.", required=True)
    role = choice(Role, "What it allows.", required=True)
