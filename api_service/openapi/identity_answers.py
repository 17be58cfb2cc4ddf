"""The form of the answer about a token itself."""

from api_service.openapi.answer_fields import AnswerSchema, choice, text
from shared.db.tokens import Role


class IdentitySchema(AnswerSchema):
    userName = text("Whom the token stands for.", required=True)
    role = choice(Role, "What it allows.", required=True)
