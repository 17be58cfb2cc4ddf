"""The forms of answers about the target."""

from api_service.status.target_figures import Scope
from api_service.web.openapi.answer_fields import AnswerSchema, choice, flag, moment, number, text


class StatisticsSchema(AnswerSchema):
    totalProjects = number("Projects.", required=True)
    totalImages = number("Artifacts, whoever pushed them.", required=True)
    totalSize = number("Bytes of storage.", required=True)
    scope = choice(Scope, "Of what: everything, what the target's account may see, or what Longshore manages.")
    storageVisible = flag("Whether the target tells its storage; else the managed images' sizes are added up.")
    asOf = moment("When the target said so.")
    ageSeconds = number("How long ago that is.")
    message = text("What is to be known about the figures.", allow_none=True)
