"""Imports with a stored account: the access list decides, for each caller, source and target."""

from dataclasses import dataclass
from typing import Any

import pytest

from api_service.settings import Settings
from deploy.local.images.synthetic import synthetic_image
from deploy.local.stack import Registry, Remote
from shared.errors.codes import Code
from shared.messages.progress_report import ProgressReport, ReportedError, ReportedState
from shared.model.roles import Role
from tests.api_service.api import BASE, Answer, Api
from tests.api_service.conftest import Source
from tests.api_service.imports.test_import_credentials import FOR_ALL, account, claimed_account, store

TARGET = "payments/app:1.0"


@pytest.fixture
def private(source_registry: Registry, repository: str) -> str:
    """An image in a real registry that requires an account."""
    Remote.of(source_registry).push(repository, "1.0", synthetic_image(repository, [10], platforms=("linux/amd64",)))
    return f"{source_registry.host}/{repository}:1.0"


@dataclass(frozen=True, kw_only=True)
class Ada:
    """A user, and the private repository whose account she may be given."""

    token: str
    private: str
    repository: str


@pytest.fixture
async def ada(api: Api, private: str, repository: str) -> Ada:
    return Ada(token=await api.token("ada"), private=private, repository=repository)


async def stored(api: Api, registry: Registry, access: Any) -> int:
    return await store(api, "internal", registry.host, **account(registry), access=access)


def access(repository: str, **other: Any) -> dict[str, Any]:
    """Return a list for Ada, this repository, and targets in payments."""
    return {"subjects": ["user:ada"], "repositories": [repository], "targets": ["payments/**"], **other}


def forbidden(answer: Answer, sentence: str) -> None:
    assert (answer.status, answer.code, answer.body["state"]) == (403, "forbidden", 0), answer
    assert sentence in answer.body["detail"]


async def test_the_account_is_used_where_the_list_fits(
    api: Api, settings: Settings, source_registry: Registry, ada: Ada
) -> None:
    """With and without its name in the request."""
    await stored(api, source_registry, access(ada.repository))
    for number, more in enumerate(({}, {"credentials": "internal"})):
        body = {"source": ada.private, "target": f"payments/app:{number}", **more}
        started = await api.start(body, token=ada.token)
        assert await claimed_account(api, settings, started) == account(source_registry)


@pytest.mark.parametrize(
    "other",
    [
        {"subjects": ["user:eve", "group:ada"]},
        {"repositories": ["elsewhere/**"]},
        {"targets": ["payment/**", "payments"]},
        None,
    ],
    ids=["subject", "repository", "target", "no list"],
)
async def test_an_account_without_the_right_is_refused_by_name_and_left_out_otherwise(
    api: Api, source_registry: Registry, ada: Ada, other: dict[str, Any] | None
) -> None:
    """Each part of the list counts. Without the account the source denies access, as if none were stored."""
    await stored(api, source_registry, other and access(ada.repository, **other))
    body = {"source": ada.private, "target": TARGET}
    for dry_run in (False, True):
        named = await api.post_import({**body, "credentials": "internal", "dryRun": dry_run}, token=ada.token)
        forbidden(named, "internal")
        silent = await api.post_import({**body, "dryRun": dry_run}, token=ada.token)
        assert silent.code == "source_denied"
        assert "internal" not in str(silent.body)
        assert account(source_registry)["username"] not in str([named.body, silent.body])
    assert await api.value("SELECT count(*) FROM imports") == 0


async def test_a_refusal_says_what_the_account_may_be_used_for(api: Api, source_registry: Registry, ada: Ada) -> None:
    """Its users read the patterns; other users read what they can do instead."""
    await stored(api, source_registry, access("team/**"))
    body = {"source": ada.private, "target": TARGET, "credentials": "internal"}
    forbidden(
        await api.post_import(body, token=ada.token),
        f"team/** and the targets payments/**, not to import {ada.repository}",
    )
    eve = await api.post_import(body, token=await api.token("eve"))
    forbidden(eve, "ask an admin")
    assert "team/**" not in eve.body["detail"]


async def test_a_public_image_of_the_host_is_imported_anonymously(
    api: Api, source: Source, repository: str, ada: Ada
) -> None:
    source.push(repository)
    await store(api, "public", source.host, username="robot", password="secret", access=None)
    started = await api.start({"source": f"{source.host}/{repository}:1.0", "target": TARGET}, token=ada.token)
    assert await api.sealed_account(started["name"]) is None


async def test_admins_use_every_account(api: Api, settings: Settings, source_registry: Registry, private: str) -> None:
    await stored(api, source_registry, None)
    started = await api.start({"source": private, "target": TARGET}, role=Role.ADMIN)
    assert await claimed_account(api, settings, started) == account(source_registry)


async def test_the_derived_target_counts(api: Api, settings: Settings, source_registry: Registry, ada: Ada) -> None:
    """The name below the default project is the target of an import that names none."""
    registry_id = await stored(api, source_registry, access(ada.repository))
    assert (await api.post_import({"source": ada.private}, token=ada.token)).code == "source_denied"
    path = f"{BASE}/image-registries/{registry_id}"
    wider = access(ada.repository, targets=["imports/**"])
    assert (await api.call("PATCH", path, role=Role.ADMIN, json={"access": wider})).status == 200
    started = await api.start({"source": ada.private}, token=ada.token)
    assert await claimed_account(api, settings, started) == account(source_registry)


async def test_a_retry_takes_the_right_of_the_user_who_retries(
    api: Api, settings: Settings, source_registry: Registry, ada: Ada
) -> None:
    """The owner lost it meanwhile; an admin who retries the same import has it."""
    registry_id = await stored(api, source_registry, access(ada.repository))
    started = await api.start({"source": ada.private, "target": TARGET}, token=ada.token)
    assert await claimed_account(api, settings, started) == account(source_registry)
    await fail(api, started["name"])
    path = f"{BASE}/image-registries/{registry_id}"
    assert (await api.call("PATCH", path, role=Role.ADMIN, json={"access": None})).status == 200
    retry = f"{BASE}/images/{started['imageId']}/importing:retry"
    forbidden(await api.call("POST", retry, token=ada.token, json={"credentials": "internal"}), "internal")
    again = (await api.call("POST", retry, token=ada.token)).body
    assert await claimed_account(api, settings, again) is None
    await fail(api, again["name"])
    by_admin = (await api.call("POST", retry, role=Role.ADMIN)).body
    assert await claimed_account(api, settings, by_admin) == account(source_registry)


async def test_an_import_in_flight_keeps_the_account_that_it_was_given(
    api: Api, settings: Settings, source_registry: Registry, private: str
) -> None:
    registry_id = await stored(api, source_registry, FOR_ALL)
    started = await api.start({"source": private, "target": TARGET})
    path = f"{BASE}/image-registries/{registry_id}"
    assert (await api.call("PATCH", path, role=Role.ADMIN, json={"access": None})).status == 200
    assert await claimed_account(api, settings, started) == account(source_registry)


async def fail(api: Api, name: str) -> None:
    """Claim the import and report a permanent error."""
    attempt = (await api.claim(name)).attempt
    error = ReportedError(code=Code.MANIFEST_UNSUPPORTED, detail="It failed.")
    report = ProgressReport(attempt=attempt, sequence=1, state=ReportedState.FAILED, error=error)
    assert (await api.report(name, report)).status == 200
