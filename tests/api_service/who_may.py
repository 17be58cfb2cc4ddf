"""Who may: for each operation, each caller and each relation of the caller to the object, the answer.

docs/api.md has the same table for readers; `document_table` makes it, and a test compares them. A new operation needs
a row here, and `python -m tests.api_service.who_may` prints the table with it.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias
from uuid import UUID

from api_service.routes import ALL_ROUTES
from shared.errors.codes import Code
from shared.messages.progress_report import ProgressReport, ReportedError, ReportedState, dump_report
from tests.api_service.api import BASE

# Status and error code.
Outcome: TypeAlias = tuple[int, str | None]
OK: Outcome = (200, None)
CREATED: Outcome = (201, None)
FORBIDDEN: Outcome = (403, "forbidden")
UNAUTHENTICATED: Outcome = (401, "unauthenticated")
EXPIRED: Outcome = (401, "token_expired")
NOT_SOURCE: Outcome = (403, "source_not_allowed")
NOT_TARGET: Outcome = (403, "target_not_allowed")

FOREIGN: Outcome = (409, "target_tag_foreign")

# Users: the image's owner, a user whose import rule reaches the image's source and target, and one whose does not.
OWNER, REACHED, OTHER = "owner", "reached", "other"
ADMIN, WORKER = "admin", "worker"
NONE, EXPIRED_TOKEN, REVOKED_TOKEN = "none", "expired", "revoked"
USERS = (OWNER, REACHED, OTHER)
CALLERS = (*USERS, ADMIN, WORKER, NONE, EXPIRED_TOKEN, REVOKED_TOKEN)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A request about an object, and the answer for each caller.

    `path` has the object; `setup` is SQL that makes it, after the scene is set.
    """

    outcomes: Mapping[str, Outcome]
    path: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    body: Any = None
    setup: str = ""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """Rows by the relation of the object to Longshore, and the content that the answer has, if any.

    `content`: the answer has digests or layers, which are hidden from `other`. The document shows the first row.
    """

    rows: Mapping[str, Row]
    content: bool = False


def row(
    users: Outcome | Sequence[Outcome], admin: Outcome, worker: Outcome = FORBIDDEN, *, body: Any = None, **more: Any
) -> Row:
    """Return a row; `users` are the outcomes of owner, reached and other, or one for all three."""
    of_users = [users] * 3 if isinstance(users[0], int) else users
    answers: dict[str, Any] = dict(zip(USERS, of_users, strict=True))
    answers |= {ADMIN: admin, WORKER: worker}
    answers |= {NONE: UNAUTHENTICATED, EXPIRED_TOKEN: EXPIRED, REVOKED_TOKEN: UNAUTHENTICATED}
    return Row(outcomes=answers, body=body, **more)


def public() -> Operation:
    return one(Row(outcomes=dict.fromkeys(CALLERS, OK)))


def one(only: Row) -> Operation:
    return Operation(rows={"": only})


def people(outcome: Outcome = OK, **more: Any) -> Row:
    return row(outcome, outcome, **more)


def admins(outcome: Outcome = OK, **more: Any) -> Row:
    return row(FORBIDDEN, outcome, **more)


def owners(outcome: Outcome = OK, **more: Any) -> Row:
    return row((outcome, FORBIDDEN, FORBIDDEN), outcome, **more)


def workers(outcome: Outcome = OK, **more: Any) -> Row:
    return row(FORBIDDEN, FORBIDDEN, outcome, **more)


UNKNOWN = {"id": "4711", "name": "no-such-import"}
NO_IMAGE: Outcome = (404, "image_not_found")
NO_IMPORT: Outcome = (404, "import_not_found")
NO_REGISTRY: Outcome = (404, "registry_not_found")
NO_RULE: Outcome = (404, "rule_not_found")
NO_TOKEN: Outcome = (404, "token_not_found")


def of_image(managed: Row, *, content: bool = False, **more: Row) -> Operation:
    """An operation on an image: that of `owner`, and an id that no image has."""
    unmanaged = people(NO_IMAGE, path=UNKNOWN, body=managed.body)
    return Operation(rows={"managed": managed, "unmanaged": unmanaged, **more}, content=content)


def of_admins(unknown: Outcome, **more: Any) -> Operation:
    """An operation on a registry or a rule: a user is refused before the API looks for the object."""
    return Operation(rows={"managed": admins(**more), "unmanaged": admins(unknown, path=UNKNOWN, **more)})


# That of the claim of the import; who may send it depends on the caller alone.
CLAIM_TOKEN = UUID("3f0e6a52-7c1d-4a8e-9b1e-2f6d5c4b3a29")
CLAIM = {"version": 1, "attempt": 1, "claimToken": str(CLAIM_TOKEN)}
REPORT = dump_report(
    ProgressReport(
        attempt=1,
        claim_token=CLAIM_TOKEN,
        sequence=1,
        state=ReportedState.FAILED,
        error=ReportedError(code=Code.SOURCE_NOT_FOUND, detail="Gone."),
    )
)
FAILED = """
    UPDATE imports SET state = 'failed', error_code = 'source_not_found', finished_at = now(), lease_owner = NULL,
                       lease_until = NULL
"""
NO_RULES = f"{FAILED}; DELETE FROM import_rules"
RULE = {"name": "third", "subjects": ["everybody"], "sources": ["**"], "targets": ["third/**"]}
REGISTRY = {"name": "another", "url": "https://another.example.com"}


def start(target: str, users: Outcome | Sequence[Outcome], admin: Outcome, *, setup: str = "", **more: Any) -> Row:
    """A request for an import; `{source}` is replaced by an image that exists."""
    body = {"source": more.pop("source", "{source}"), "target": target, **more}
    return row(users, admin, body=body, setup=setup)


def dry_run(wanted: Row) -> Row:
    return replace(wanted, body={**wanted.body, "dryRun": True})


COMPANION = f"teams/app:sha256-{64 * 'a'}.sig"
IMPORTS: Mapping[str, Row] = {
    "a new name": start("teams/new:1.0", (OK, OK, NOT_TARGET), OK),
    "a new project": start("unknown/new:1.0", (NOT_TARGET, NOT_TARGET, NOT_TARGET), OK),
    "another's import under way": start("teams/app:1.0", (OK, OK, NOT_TARGET), OK),
    "another's image": start("teams/app:1.0", (OK, FORBIDDEN, NOT_TARGET), OK, force=True, setup=FAILED),
    "an unmanaged tag": start("teams/foreign:1.0", (FOREIGN, FOREIGN, NOT_TARGET), FOREIGN),
    "an unmanaged tag by force": start("teams/foreign:1.0", (FOREIGN, FOREIGN, NOT_TARGET), OK, force=True),
    "a mirror name": start("imports/docker.io/library/app:1.0", NOT_TARGET, NOT_TARGET),
    "a companion tag": start(COMPANION, NOT_TARGET, NOT_TARGET),
    "a source of no rule": start(
        "teams/new:1.0", (NOT_SOURCE, NOT_SOURCE, NOT_TARGET), (502, "source_unreachable"), source="127.0.0.1:1/x/y:1"
    ),
}

TABLE: Mapping[str, Operation] = {
    "GET /": public(),
    "GET /console/{file}": public(),
    "GET /healthz": public(),
    "GET /readyz": public(),
    f"GET {BASE}/openapi.json": public(),
    f"GET {BASE}/docs": public(),
    f"GET {BASE}/docs/{{file}}": public(),
    f"GET {BASE}/whoami": one(row(OK, OK, OK)),
    f"GET {BASE}/images": Operation(rows={"managed": people()}, content=True),
    f"GET {BASE}/images/{{id}}": of_image(people(), content=True),
    f"DELETE {BASE}/images/{{id}}": of_image(owners()),
    f"GET {BASE}/images/{{id}}/importing-details": of_image(people(), content=True),
    # A dry run is refused as the import itself.
    f"POST {BASE}/images:import": Operation(
        rows={**IMPORTS, **{f"{name}, dry run": dry_run(wanted) for name, wanted in IMPORTS.items()}}
    ),
    f"PUT {BASE}/images:import/{{name}}/progress": Operation(
        rows={"managed": workers(body=REPORT), "unmanaged": workers(NO_IMPORT, body=REPORT, path=UNKNOWN)}
    ),
    f"POST {BASE}/images:import/{{name}}/begin": Operation(
        rows={
            "managed": workers(body=CLAIM),
            "unmanaged": workers(NO_IMPORT, body=CLAIM, path=UNKNOWN),
        }
    ),
    f"POST {BASE}/images:import/{{name}}/admit": Operation(
        rows={
            "managed": workers(body=CLAIM | {"bytes": 1}),
            "unmanaged": workers(NO_IMPORT, body=CLAIM | {"bytes": 1}, path=UNKNOWN),
        }
    ),
    f"POST {BASE}/images/{{id}}/importing:cancel": of_image(owners()),
    f"POST {BASE}/images/{{id}}/importing:retry": of_image(
        owners(body={}, setup=FAILED),
        running=owners((409, "import_not_retryable"), body={}),
        ruleless=row((NOT_SOURCE, FORBIDDEN, FORBIDDEN), OK, body={}, setup=NO_RULES),
    ),
    f"GET {BASE}/harbor/stats": one(people()),
    f"GET {BASE}/operations": one(people()),
    f"GET {BASE}/image-registries": one(people()),
    f"POST {BASE}/image-registries": one(admins(CREATED, body=REGISTRY)),
    f"GET {BASE}/image-registries/{{id}}": of_admins(NO_REGISTRY),
    f"PATCH {BASE}/image-registries/{{id}}": of_admins(NO_REGISTRY, body={}),
    f"DELETE {BASE}/image-registries/{{id}}": of_admins(NO_REGISTRY),
    # Users with access to its account may, too; all users see it in the list.
    f"POST {BASE}/image-registries/{{id}}:test": Operation(
        rows={"managed": admins(), "unmanaged": people(NO_REGISTRY, path=UNKNOWN)}
    ),
    f"GET {BASE}/import-rules": one(people()),
    f"POST {BASE}/import-rules": one(admins(CREATED, body=RULE)),
    f"POST {BASE}/import-rules:check": Operation(
        rows={
            "own": people(body={"source": "{source}"}),
            "another's": admins(body={"source": "{source}", "user": "ada"}),
        }
    ),
    f"GET {BASE}/import-rules/{{id}}": of_admins(NO_RULE),
    f"PATCH {BASE}/import-rules/{{id}}": of_admins(NO_RULE, body={}),
    f"DELETE {BASE}/import-rules/{{id}}": of_admins(NO_RULE),
    f"GET {BASE}/audit": one(admins()),
    f"GET {BASE}/tokens": Operation(rows={"own": people(), "all": admins(query="?all=true")}),
    f"POST {BASE}/tokens": Operation(
        rows={
            "own": people(CREATED, body={}),
            "another's": admins(CREATED, body={"userName": "ada"}),
            "another role": admins(CREATED, body={"role": "admin"}),
        }
    ),
    # The token is `owner`'s; to other users it does not exist.
    f"DELETE {BASE}/tokens/{{id}}": Operation(
        rows={"managed": row((OK, NO_TOKEN, NO_TOKEN), OK), "unmanaged": people(NO_TOKEN, path=UNKNOWN)}
    ),
}

# The document has one column for tokens that prove nothing: they all get the same status.
DOCUMENTED = (OWNER, REACHED, OTHER, ADMIN, WORKER, NONE)


def document_table() -> list[str]:
    """Return the lines of the table in docs/api.md, one for each endpoint."""
    return [
        f"| `{endpoint}` | {' | '.join(cell(TABLE[endpoint], caller) for caller in DOCUMENTED)} |"
        for endpoint in (f"{route.method} {route.path}" for route in ALL_ROUTES)
    ]


def cell(operation: Operation, caller: str) -> str:
    """Return what a caller gets: `all`, `hidden` (all but digests and layers), or the status of a refusal."""
    status, _ = next(iter(operation.rows.values())).outcomes[caller]
    if status >= 400:
        return str(status)
    return "hidden" if operation.content and caller == OTHER else "all"


if __name__ == "__main__":
    sys.stdout.write("\n".join(document_table()) + "\n")
