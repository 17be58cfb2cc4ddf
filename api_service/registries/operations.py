"""The OpenAPI operations about stored source registries."""

from http import HTTPStatus

from api_service.registries.answers import StoredRegistriesSchema, StoredRegistrySchema
from api_service.registries.requests import NewRegistrySchema, RegistryChangeSchema
from api_service.web.openapi.operation import Answer, Operation, codes
from shared.errors.codes import Code

_TAG = "source registries"
_ONE = Answer(description="The stored registry, without its password.", schemas=(StoredRegistrySchema,))

LIST = Operation(
    id="listRegistries",
    tag=_TAG,
    summary="List stored source registries",
    answers=(Answer(description="All of them, without pages.", schemas=(StoredRegistriesSchema,)),),
)
CREATE = Operation(
    id="createRegistry",
    tag=_TAG,
    summary="Store a source registry",
    description="The password is encrypted at rest and never returned. A new default replaces the old one.",
    body=NewRegistrySchema,
    answers=(
        Answer(
            description="Stored.",
            schemas=(StoredRegistrySchema,),
            status=HTTPStatus.CREATED,
            headers={"Location": "The stored registry."},
        ),
    ),
    codes=codes(Code.REGISTRY_EXISTS, Code.REGISTRY_LIMIT_REACHED),
)
GET = Operation(
    id="getRegistry",
    tag=_TAG,
    summary="One stored source registry",
    answers=(_ONE,),
    codes=codes(Code.REGISTRY_NOT_FOUND),
)
CHANGE = Operation(
    id="changeRegistry",
    tag=_TAG,
    summary="Change a stored source registry",
    description=(
        "A merge patch (RFC 7396): null removes, an absent field stays. A password alone is a rotation; a user name "
        "needs its password with it."
    ),
    body=RegistryChangeSchema,
    answers=(_ONE,),
    codes=codes(Code.REGISTRY_NOT_FOUND, Code.REGISTRY_EXISTS),
)
DELETE = Operation(
    id="deleteRegistry",
    tag=_TAG,
    summary="Delete a stored source registry",
    answers=(Answer(description="Deleted. The body is empty."),),
    codes=codes(Code.REGISTRY_NOT_FOUND),
)
