"""The JSON of answers about stored source registries, next to the schemas that describe it."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from marshmallow import fields

from api_service.auth.identity import Identity
from api_service.registries.may_use import is_user, visible_access
from api_service.registries.probe import ProbeResult
from api_service.registries.stored_registries import SourceRegistry
from api_service.web.answers import AnswerSchema, choice, flag, moment, number, rfc3339, text
from shared.model.account_access import AccountAccess
from shared.registry.sign_in import SignInStep


def _texts(description: str) -> fields.List[str]:
    return fields.List(fields.String(), required=True, metadata={"description": description})


class AccountAccessSchema(AnswerSchema):
    subjects = _texts("`everybody`, `user:NAME` or `group:NAME`; users see those that apply to them.")
    repositories = _texts("Patterns of repositories of the registry's host.")
    targets = _texts("Patterns of `project/repository` in the target.")


class StoredRegistrySchema(AnswerSchema):
    id = number("The registry's id.", required=True)
    name = text("The name for an import's `credentials`.", required=True)
    url = text("Its address.", required=True)
    host = text("The host that references to its images begin with.", required=True)
    username = text(
        "The account's user name; null: there is none, or the caller may not use it.", required=True, allow_none=True
    )
    hasPassword = flag("Whether there is a password; the API never returns it.", required=True)
    isDefault = flag("Whether it is the registry of sources that name none.", required=True)
    access = fields.Nested(
        AccountAccessSchema,
        required=True,
        allow_none=True,
        metadata={"description": "The imports that may use the account; null: those of admins alone."},
    )
    createdBy = text("The user who stored it.", required=True)
    createdTime = moment("When it was stored.", required=True)
    updatedTime = moment("When it was last changed.", required=True)


class StepResult(StrEnum):
    """The result of one step of a test."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class TestStepSchema(AnswerSchema):
    name = choice(
        SignInStep,
        "`reach`: connect under the network policy and TLS; `signIn`: have the account accepted; `answer`: answer as "
        "a registry.",
        required=True,
    )
    result = choice(
        StepResult, "`skipped`: an earlier step failed, or the registry asks for no account.", required=True
    )


class RegistryTestSchema(AnswerSchema):
    ok = flag("Whether the registry answers, and accepts the account if it asks for one.", required=True)
    message = text("A sentence for a person.", required=True)
    code = text("The code of the error of the step that failed; empty if none did.", required=True)
    hint = text("The advice for this error; empty without one.", required=True)
    steps = fields.List(fields.Nested(TestStepSchema), required=True)


class StoredRegistriesSchema(AnswerSchema):
    totalCount = number("The number of stored registries.", required=True)
    registries = fields.List(fields.Nested(StoredRegistrySchema), required=True)


def registry_json(source: SourceRegistry, by: Identity) -> dict[str, Any]:
    """Return a registry without its password; with its user name and its access list for those who may use it."""
    stored = source.stored
    access = visible_access(stored.access, by)
    return {
        "id": stored.id,
        "name": stored.name,
        "url": source.url,
        "host": stored.host,
        "username": stored.username if is_user(stored.access, by) else None,
        "hasPassword": stored.password is not None,
        "isDefault": stored.is_default,
        "access": access_json(access) if access else None,
        "createdBy": stored.created_by,
        "createdTime": rfc3339(stored.created_at),
        "updatedTime": rfc3339(stored.updated_at),
    }


def access_json(access: AccountAccess) -> dict[str, Any]:
    """Return an access list."""
    return {
        "subjects": list(access.subjects),
        "repositories": list(access.repositories),
        "targets": list(access.targets),
    }


def registries_json(sources: Sequence[SourceRegistry], by: Identity) -> dict[str, Any]:
    """Return the body of GET /image-registries."""
    return {"totalCount": len(sources), "registries": [registry_json(source, by) for source in sources]}


def test_json(result: ProbeResult) -> dict[str, Any]:
    """Return the body of POST /image-registries/:id:test."""
    error = result.error
    return {
        "ok": error is None,
        "message": error.detail if error else _message(result),
        "code": error.code if error else "",
        "hint": error.kind.hint if error else "",
        "steps": [{"name": step, "result": _step_result(step, result)} for step in SignInStep],
    }


def _message(result: ProbeResult) -> str:
    if SignInStep.SIGN_IN not in result.begun:
        reason = "It asks for no account, so that the stored one was not tried." if result.with_account else ""
        return f"{result.host} answers. {reason}".strip()
    return f"{result.host} answers and accepts {'the account' if result.with_account else 'anonymous access'}."


def _step_result(step: SignInStep, result: ProbeResult) -> StepResult:
    if step not in result.begun:
        return StepResult.SKIPPED
    return StepResult.FAILED if result.error and step is result.begun[-1] else StepResult.DONE
