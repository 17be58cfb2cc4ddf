"""The forms of answers about stored source registries."""

from marshmallow import fields

from api_service.web.answers import AnswerSchema, flag, moment, number, text


class StoredRegistrySchema(AnswerSchema):
    id = number("The registry's id.", required=True)
    name = text("What `credentials` of an import may name.", required=True)
    url = text("Its address.", required=True)
    host = text("What references to its images begin with.", required=True)
    username = text("The account; null: as anybody.", required=True, allow_none=True)
    hasPassword = flag("Whether there is a password; it is never shown.", required=True)
    isDefault = flag("Whether it stands in front of sources that name no registry.", required=True)
    createdBy = text("Who stored it.", required=True)
    createdTime = moment("When.", required=True)
    updatedTime = moment("When it was last changed.", required=True)


class StoredRegistriesSchema(AnswerSchema):
    totalCount = number("How many there are.", required=True)
    registries = fields.List(fields.Nested(StoredRegistrySchema), required=True)
