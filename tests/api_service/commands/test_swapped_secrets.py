"""A writer of the database moves sealed accounts, by SQL: none is delivered to another host than its own."""

import json
from typing import Any

import pytest

from api_service.commands import secrets
from api_service.settings import Settings
from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.model.roles import Role
from shared.model.sealed_account import open_account, open_stored, seal_account
from shared.oci.engine_image import parse_source
from tests.api_service.api import Api
from tests.api_service.imports.test_import_credentials import store
from tests.scripted.hostile import Answer as Scripted
from tests.scripted.hostile import HostileRegistry

SECRET = "s3cret-of-the-other"
ACCOUNT = {"username": "robot", "password": SECRET}
ASKS = Scripted(status=401, headers={"WWW-Authenticate": 'Basic realm="r"'})


@pytest.fixture
def hostile(hostile: HostileRegistry) -> HostileRegistry:
    """The host of the writer, which asks everyone for a password."""
    for method in ("HEAD", "GET"):
        hostile.on(method, "/v2/app/manifests/1.0", ASKS)
        hostile.on(method, "/v2/", ASKS)
    return hostile


async def unreadable(api: Api, hostile: HostileRegistry, *, calls: int = 0) -> None:
    """Import from the hostile host and test it: both end with the error, and no account reaches the host."""
    body = {"source": f"{hostile.host}/app:1.0"}
    for more in ({}, {"dryRun": True}, {"credentials": "mine"}):
        answer = await api.post_import({**body, **more}, role=Role.ADMIN)
        assert (answer.status, answer.code) == (503, "credentials_unreadable"), answer
        assert SECRET not in str(answer.body)
    assert len(hostile.asked) == calls


async def sealed_import(api: Api, settings: Settings, source: str, image_id: int) -> int:
    """Add a queued import with an account, as a request for this source adds it; return its id."""
    sealed = seal_account(settings.secrets, Credential(**ACCOUNT), host=parse_source(source).registry)
    import_id: int = await api.value(
        """
        INSERT INTO imports (name, image_id, state, source, credentials, requested_by)
        VALUES ($1, $2, 'queued', $3, $4, 'user') RETURNING id
        """,
        f"import-{image_id}",
        image_id,
        source,
        sealed,
    )
    return import_id


async def image(api: Api, repository: str) -> int:
    image_id: int = await api.value(
        """
        INSERT INTO images (registry_host, repository, tag, status, source, created_by, description)
        VALUES ('harbor.example.com', $1, '1.0', 'importing', '', 'user', '') RETURNING id
        """,
        repository,
    )
    return image_id


async def opened(api: Api, settings: Settings, import_id: int) -> Credential | None:
    """Open an import's account as its worker's API does."""
    source = await api.value("SELECT source FROM imports WHERE id = $1", import_id)
    sealed = await api.value("SELECT credentials FROM imports WHERE id = $1", import_id)
    return open_account(settings.secrets, sealed, host=parse_source(source).registry)


async def test_a_password_of_another_registry_is_not_delivered(api: Api, hostile: HostileRegistry) -> None:
    """Swapped between two rows of one table; the user names are equal."""
    await store(api, "theirs", "quay.example.com", **ACCOUNT)
    await store(api, "mine", hostile.host, username="robot", password="known")
    await api.execute(
        """
        UPDATE source_registries AS mine SET password = theirs.password FROM source_registries AS theirs
        WHERE mine.name = 'mine' AND theirs.name = 'theirs'
        """
    )
    await unreadable(api, hostile)


async def test_a_registry_whose_row_names_another_host_is_not_called_with_its_password(
    api: Api, hostile: HostileRegistry
) -> None:
    await store(api, "mine", "quay.example.com", **ACCOUNT)
    await api.execute("UPDATE source_registries SET host = $1", hostile.host)
    await unreadable(api, hostile)


async def test_a_password_is_not_sent_with_another_user_name(api: Api, hostile: HostileRegistry) -> None:
    """The user name of the row is part of the binding: an admin stores the password again."""
    registry_id = await store(api, "mine", hostile.host, **ACCOUNT)
    await api.execute("UPDATE source_registries SET username = 'root'")
    await unreadable(api, hostile)
    path = f"/api/v1/image-registries/{registry_id}"
    assert (await api.call("PATCH", path, role=Role.ADMIN, json=ACCOUNT)).status == 200
    assert (await api.post_import({"source": f"{hostile.host}/app:1.0"}, role=Role.ADMIN)).code == "source_denied"
    assert hostile.requests("HEAD", "/v2/app/manifests/1.0")


async def test_an_import_s_account_is_no_registry_s_password(
    api: Api, settings: Settings, hostile: HostileRegistry
) -> None:
    """Between tables; even for the same host the purpose differs."""
    await store(api, "mine", hostile.host, username="robot", password="known")
    for number, host in enumerate(("quay.example.com", hostile.host)):
        import_id = await sealed_import(api, settings, f"{host}/app:1.0", await image(api, f"imports/{number}"))
        await api.execute(
            "UPDATE source_registries SET password = (SELECT credentials FROM imports WHERE id = $1)", import_id
        )
        await unreadable(api, hostile)


async def test_an_import_gets_no_account_of_another_host(
    api: Api, settings: Settings, hostile: HostileRegistry
) -> None:
    """From another import, from a stored registry, or with its own after its source was changed."""
    theirs = await sealed_import(api, settings, "quay.example.com/app:1.0", await image(api, "imports/theirs"))
    mine = await sealed_import(api, settings, f"{hostile.host}/app:1.0", await image(api, "imports/mine"))
    assert await opened(api, settings, mine) == Credential(**ACCOUNT)
    await store(api, "theirs", "quay.example.com", **ACCOUNT)
    await store(api, "here", hostile.host, **ACCOUNT)
    other_import = f"SELECT credentials FROM imports WHERE id = {theirs}"
    other_registry = "SELECT password FROM source_registries WHERE name = 'theirs'"
    own_registry = "SELECT password FROM source_registries WHERE name = 'here'"
    moves = (
        f"UPDATE imports SET credentials = ({other_import}) WHERE id = {mine}",
        f"UPDATE imports SET credentials = ({other_registry}) WHERE id = {mine}",
        f"UPDATE imports SET credentials = ({own_registry}) WHERE id = {mine}",
        f"UPDATE imports SET source = '{hostile.host}/app:1.0' WHERE id = {theirs}",
    )
    for number, move in enumerate(moves):
        await api.execute(move)
        with pytest.raises(LongshoreError, match="credentials_unreadable") as caught:
            await opened(api, settings, theirs if number == 3 else mine)
        assert SECRET not in str(caught.value)


async def test_the_first_form_does_not_move_between_tables(
    api: Api, settings: Settings, hostile: HostileRegistry
) -> None:
    """It names no host; its purpose shows in its shape."""
    box = settings.secrets
    await store(api, "mine", hostile.host, username="robot", password="known")
    await api.execute("UPDATE source_registries SET password = $1", box.seal(json.dumps(ACCOUNT)))
    await unreadable(api, hostile)
    mine = await sealed_import(api, settings, f"{hostile.host}/app:1.0", await image(api, "imports/mine"))
    await api.execute("UPDATE imports SET credentials = $1", box.seal(SECRET))
    with pytest.raises(LongshoreError, match="credentials_unreadable"):
        await opened(api, settings, mine)


async def test_a_rotation_replaces_the_first_form(api: Api, settings: Settings, hostile: HostileRegistry) -> None:
    """Afterwards each text is bound to the row in which the rotation found it; both open as before."""
    box = settings.secrets
    await store(api, "theirs", "quay.example.com", **ACCOUNT)
    await api.execute("UPDATE source_registries SET password = $1", box.seal(SECRET))
    mine = await sealed_import(api, settings, f"{hostile.host}/app:1.0", await image(api, "imports/mine"))
    await api.execute("UPDATE imports SET credentials = $1", box.seal(json.dumps(ACCOUNT)))
    assert await opened(api, settings, mine) == Credential(**ACCOUNT)
    rotation = await rotate(api, settings)
    assert (rotation.rotated, rotation.unreadable) == (2, 0)
    assert await opened(api, settings, mine) == Credential(**ACCOUNT)
    sealed = await api.value("SELECT password FROM source_registries")
    opening: dict[str, Any] = {"host": "quay.example.com", "username": "robot"}
    assert open_stored(box, sealed, **opening) == Credential(**ACCOUNT)
    for other in ({"host": hostile.host}, {"username": "root"}):
        with pytest.raises(LongshoreError, match="credentials_unreadable"):
            open_stored(box, sealed, **{**opening, **other})
    await api.execute("UPDATE imports SET source = 'quay.example.com/app:1.0'")
    with pytest.raises(LongshoreError, match="credentials_unreadable"):
        await opened(api, settings, mine)


async def test_a_rotation_does_not_bind_a_swapped_text_to_its_new_row(
    api: Api, settings: Settings, hostile: HostileRegistry
) -> None:
    """It counts it as unreadable and leaves it as it is."""
    await store(api, "mine", "quay.example.com", **ACCOUNT)
    await store(api, "other", "other.example.com", **ACCOUNT)
    await api.execute("UPDATE source_registries SET host = $1 WHERE name = 'mine'", hostile.host)
    before = await api.value("SELECT password FROM source_registries WHERE name = 'mine'")
    rotation = await rotate(api, settings)
    assert (rotation.rotated, rotation.unreadable) == (1, 1)
    assert await api.value("SELECT password FROM source_registries WHERE name = 'mine'") == before
    await unreadable(api, hostile)


async def rotate(api: Api, settings: Settings) -> secrets.Rotation:
    async with api.database.connection() as connection:
        return await secrets.rotate(connection, settings.secrets)
