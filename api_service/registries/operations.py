"""The OpenAPI operations about stored source registries."""

from http import HTTPStatus

from api_service.registries.answers import RegistryTestSchema, StoredRegistriesSchema, StoredRegistrySchema
from api_service.registries.requests import NewRegistrySchema, RegistryChangeSchema
from api_service.web.openapi.operation import Answer, Operation, codes
from shared.errors.codes import Code

_TAG = "source registries"
_ONE = Answer(description="The stored registry, without its password.", schemas=(StoredRegistrySchema,))

LIST = Operation(
    id="listRegistries",
    tag=_TAG,
    summary="List stored source registries",
    description="A registry's user name is shown to admins and to users in the account's access list.",
    answers=(Answer(description="All of them, without pages.", schemas=(StoredRegistriesSchema,)),),
)
CREATE = Operation(
    id="createRegistry",
    tag=_TAG,
    summary="Store a source registry",
    description=(
        "The password is encrypted at rest and never returned. A new default replaces the old one. Without `access`, "
        "imports of admins alone use the account."
    ),
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
        "needs its password with it. `access` is replaced as a whole."
    ),
    body=RegistryChangeSchema,
    answers=(_ONE,),
    codes=codes(Code.REGISTRY_NOT_FOUND, Code.REGISTRY_EXISTS),
)
TEST = Operation(
    id="testRegistry",
    tag=_TAG,
    summary="Test a stored source registry",
    description=(
        "Connects to the registry and signs in with the stored account, now and once. For admins, and for users in the "
        "account's access list. A failure is a result: it has the code of the error, and the step that failed. A host "
        "is tested at most once in ten seconds."
    ),
    answers=(Answer(description="The result.", schemas=(RegistryTestSchema,)),),
    codes=codes(Code.REGISTRY_NOT_FOUND, Code.REGISTRY_TEST_LIMITED),
)
DELETE = Operation(
    id="deleteRegistry",
    tag=_TAG,
    summary="Delete a stored source registry",
    answers=(Answer(description="Deleted. The body is empty."),),
    codes=codes(Code.REGISTRY_NOT_FOUND),
)
