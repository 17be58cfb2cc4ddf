"""The OpenAPI operations about API tokens."""

from http import HTTPStatus

from api_service.tokens.answers import NewTokenAnswerSchema, TokensSchema
from api_service.tokens.requests import NewTokenSchema, TokenQuerySchema
from api_service.web.openapi.operation import Answer, Operation, codes
from shared.errors.codes import Code

_TAG = "tokens"

LIST = Operation(
    id="listTokens",
    tag=_TAG,
    summary="List API tokens",
    description="Your own, the newest first; with `all=true`, which is for admins, those of all users.",
    query=TokenQuerySchema,
    answers=(Answer(description="A page of tokens, without their secrets.", schemas=(TokensSchema,)),),
)
CREATE = Operation(
    id="createToken",
    tag=_TAG,
    summary="Create an API token",
    description=(
        "It has your identity and groups, and at most your role. The groups are a copy: a later change at the identity "
        "provider does not reach it. If you call with an API token, the new one ends with that one at the latest, and "
        "is revoked with it. Admins create tokens of users that only API tokens name, too, with any lifetime."
    ),
    body=NewTokenSchema,
    answers=(
        Answer(
            description="Created. This is the only answer with the secret.",
            schemas=(NewTokenAnswerSchema,),
            status=HTTPStatus.CREATED,
        ),
    ),
    codes=codes(Code.TOKEN_LIMIT_REACHED),
)
REVOKE = Operation(
    id="revokeToken",
    tag=_TAG,
    summary="Revoke an API token",
    description=(
        "Requests with it, and with tokens that were created with it, are refused within a second. Imports that it "
        "started continue. Users revoke their own tokens, admins all."
    ),
    answers=(Answer(description="Revoked, or it was already. The body is empty."),),
    codes=codes(Code.TOKEN_NOT_FOUND),
)
