"""Stored passwords: encrypted, never shown, and readable with the new keys after a rotation."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from api_service.commands import secrets
from api_service.settings import Settings
from deploy.local.images.synthetic import synthetic_image
from deploy.local.processes.server import new_key
from deploy.local.stack import Registry, Remote
from shared.db.sealed import SEALED_COLUMNS, SealedText, replace_sealed
from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.model.sealed_account import Binding, Purpose, open_stored, seal
from shared.runtime.secret_box import SecretBox
from tests.api_service.api import Api
from tests.api_service.commands.test_cli import only_message, run
from tests.api_service.conftest import OpenApi
from tests.api_service.imports.test_import_credentials import account, store

# bytea columns that are not encrypted.
HASHES = {("api_tokens", "secret_sha256")}


def with_keys(settings: Settings, *keys: str) -> Settings:
    return replace(settings, secrets=SecretBox(keys))


@pytest.fixture
def private(source_registry: Registry, repository: str) -> str:
    Remote.of(source_registry).push(repository, "1.0", synthetic_image(repository, [10], platforms=("linux/amd64",)))
    return f"{source_registry.host}/{repository}:1.0"


async def all_rows(api: Api) -> str:
    """Return every row of every table as text, with bytea in hexadecimal."""
    tables = "SELECT array_agg(tablename::text) FROM pg_tables WHERE schemaname = 'public'"
    dumps = [await api.value(f"SELECT string_agg(t::text, E'\\n') FROM {t} t") for t in await api.value(tables)]
    return "\n".join(filter(None, dumps))


def forms(secret: str, username: str) -> tuple[str, ...]:
    """Return a password in every encoding in which it might be stored or logged."""
    basic = base64.b64encode(f"{username}:{secret}".encode()).decode()
    return (secret, basic, secret.encode().hex(), base64.b64encode(secret.encode()).decode())


async def test_no_table_has_a_password_and_no_log(
    api: Api, source_registry: Registry, private: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """This holds for stored registries and for imports, successful and failed."""
    given = account(source_registry)
    await store(api, "internal", source_registry.host, **given)
    await api.start({"source": private})
    wrong = {"username": given["username"], "password": "wr0ng-but-secret"}
    answers = [
        await api.post_import({"source": private, "target": "team/other", "credentials": wrong}),
        await api.post_import({"source": private, "target": "team/third", "credentials": given, "dryRun": True}),
        await api.get("/image-registries"),
    ]
    written = (await all_rows(api), *capfd.readouterr(), *map(str, answers))
    assert "internal" in written[0]
    assert "source_denied" in written[1]
    for secret in (given["password"], wrong["password"]):
        for form in forms(secret, given["username"]):
            assert not [text for text in written if form in text]


async def test_the_list_of_encrypted_columns_is_complete(api: Api) -> None:
    """A rotation that skipped a column would make it unreadable without the old key."""
    query = """
        SELECT array_agg(table_name || '.' || column_name) FROM information_schema.columns
        WHERE table_schema = 'public' AND data_type = 'bytea'
    """
    found = {tuple(name.split(".")) for name in await api.value(query)}
    assert found - HASHES == {(sealed.table, sealed.column) for sealed in SEALED_COLUMNS}


async def test_a_rotation_lets_the_old_key_go(
    open_api: OpenApi, settings: Settings, database_url: str, source_registry: Registry, private: str
) -> None:
    """The accounts of a stored registry and of an open import are readable with the new key alone."""
    old, new = new_key(), new_key()
    async with open_api(with_keys(settings, old)) as api:
        await store(api, "internal", source_registry.host, **account(source_registry))
        started = await api.start({"source": private})
    async with open_api(with_keys(settings, new)) as api:
        assert (await api.post_import({"source": private, "force": True})).code == "credentials_unreadable"
    done = run("rotate-secrets", DATABASE_URL=database_url, SECRET_KEYS=f"{new},{old}")
    assert (done.returncode, done.stdout) == (0, "")
    assert "2 secrets" in done.stderr
    async with open_api(with_keys(settings, new)) as api:
        sealed = await api.sealed_account(started["name"])
        assert str(source_registry.password) in SecretBox([new]).open(sealed or b"")
        assert (await api.start({"source": private, "target": "team/again:1.0"}))["state"] == 1
        with pytest.raises(LongshoreError, match="credentials_unreadable"):
            SecretBox([old]).open(sealed or b"")


async def test_a_rotation_may_be_repeated_and_goes_through_batches(
    open_api: OpenApi, settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "BATCH", 2)
    old, new = new_key(), new_key()
    async with open_api(with_keys(settings, old)) as api:
        for number in range(5):
            await store(api, f"r{number}", f"r{number}.example.com", username="a", password=f"p{number}")
        await store(api, "open", "open.example.com")
        for _ in range(2):
            async with api.database.connection() as connection:
                rotation = await secrets.rotate(connection, SecretBox([new, old]))
            assert (rotation.rotated, rotation.unreadable) == (5, 0)
        sealed = await api.value("SELECT array_agg(password ORDER BY name) FROM source_registries WHERE id < 6")
    for number, each in enumerate(sealed):
        opened = open_stored(SecretBox([new]), each, host=f"r{number}.example.com", username="a")
        assert opened == Credential("a", f"p{number}")


async def test_texts_that_no_key_opens_are_reported_and_left_unchanged(
    open_api: OpenApi, settings: Settings, database_url: str
) -> None:
    """All others are rotated nevertheless."""
    lost, kept, new = new_key(), new_key(), new_key()
    async with open_api(with_keys(settings, lost)) as api:
        await store(api, "lost", "lost.example.com", username="a", password="p")
        before = await api.value("SELECT password FROM source_registries WHERE name = 'lost'")
    async with open_api(with_keys(settings, kept)) as api:
        await store(api, "kept", "kept.example.com", username="a", password="q")
        done = run("rotate-secrets", DATABASE_URL=database_url, SECRET_KEYS=f"{new},{kept}")
        assert done.returncode == 1
        assert "1 could not be opened" in only_message(done)
        assert await api.value("SELECT password FROM source_registries WHERE name = 'lost'") == before
        sealed = await api.value("SELECT password FROM source_registries WHERE name = 'kept'")
    assert open_stored(SecretBox([new]), sealed, host="kept.example.com", username="a") == Credential("a", "q")


async def test_a_rotation_does_not_undo_a_change_beside_it(api: Api, settings: Settings) -> None:
    """A text that a service changes after the rotation has read it stays changed."""
    registry_id = await store(api, "quay", "quay.io", username="a", password="p")
    seen = await api.value("SELECT password FROM source_registries WHERE id = $1", registry_id)
    box, binding = settings.secrets, Binding(purpose=Purpose.STORED_REGISTRY, host="quay.io", username="a")
    newer = seal(box, Credential("a", "newer"), binding)
    await api.execute("UPDATE source_registries SET password = $2 WHERE id = $1", registry_id, newer)
    async with api.database.connection() as connection:
        read = SealedText(id=registry_id, sealed=seen, binding=binding)
        assert not await replace_sealed(connection, SEALED_COLUMNS[0], read, seal(box, Credential("a", "p"), binding))
    assert await api.value("SELECT password FROM source_registries WHERE id = $1", registry_id) == newer


@pytest.mark.parametrize("keys", [None, "", "no-key"])
def test_a_rotation_needs_good_keys(database_url: str, keys: str | None) -> None:
    given: dict[str, Any] = {} if keys is None else {"SECRET_KEYS": keys}
    done = run("rotate-secrets", DATABASE_URL=database_url, **given)
    assert done.returncode == 2
    assert "SECRET_KEYS" in only_message(done)
