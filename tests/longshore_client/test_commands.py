"""Each command as scripts use it: stdout, stderr, JSON, and the exit status."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import web

from shared.model.roles import Role
from tests.api_service.api import Api, until
from tests.api_service.conftest import Source
from tests.longshore_client.conftest import Cli, url_of
from tests.longshore_client.driven_worker import MEGABYTE, DrivenWorker, arrived, digest
from tests.longshore_client.faulty_proxy import FaultyProxy

REPOSITORY = "shop/cart"
IN_TARGET = "imports/{host}/shop/cart"


@pytest.fixture
def cart(source: Source) -> str:
    """An image in a registry."""
    source.push(REPOSITORY)
    return f"{source.host}/{REPOSITORY}:1.0"


def problem_answer(problem: dict[str, Any]) -> web.Response:
    """Return an error as the API sends it."""
    return web.json_response(problem, status=problem["status"], content_type="application/problem+json")


async def start(cli: Cli, reference: str, *more: str) -> int:
    done = await cli.run("import", "--no-wait", reference, *more)
    assert done.status == 0, done
    return int(done.out)


async def insert(api: Api, *tags: str, repository: str = "imports/app", letter: str = "f") -> Sequence[int]:
    """Insert ready images."""
    return [
        await api.value(
            """
            INSERT INTO images (registry_host, repository, tag, status, source, created_by, digest, size)
            VALUES ('harbor.example.com', $1, $2, 'ready', 'docker.io/library/app:' || $2, 'user', $3, 3000000)
            RETURNING id
            """,
            repository,
            tag,
            digest(letter),
        )
        for tag in tags
    ]


async def test_a_login_is_checked_stored_and_deleted(api: Api, home: Cli) -> None:
    """The token is read from stdin, is in no output, and only its owner can read its file."""
    token = api.tokens[Role.USER]
    done = await home.run("login", url_of(api), "--token-stdin", stdin=f"{token}\n")
    assert (done.status, done.out) == (0, "")
    assert "as user, role user" in done.err
    assert home.config.stat().st_mode & 0o777 == 0o600
    listed = await home.run("images", "--json")
    assert (listed.status, json.loads(listed.out)) == (0, [])
    assert token not in done.err + listed.err
    assert (await home.run("logout")).status == 0
    assert not home.config.exists()
    assert (await home.run("images")).status == 4


async def test_a_bad_token_is_not_stored(api: Api, home: Cli) -> None:
    done = await home.run("login", url_of(api), "--token-stdin", stdin="lsh_wrong\n")
    assert done.status == 4
    assert "unauthenticated, request " in done.err
    assert "longshore login" in done.err
    assert not home.config.exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["import"], "Name a SOURCE"),
        (["import", "a", "b", "--target", "p/r:1"], "--target is for one image"),
        (["import", "a", "--registry", "x", "--username", "y"], "does not go with"),
        (["import", "a", "--password-stdin"], "needs --username"),
        (["import", "a", "--username", "y"], "there is no terminal for a prompt"),
        (["import", "-f", "-"], "Name a SOURCE"),
        (["delete", "1"], "--yes deletes without one"),
        (["images", "--sort", "colour"], "'colour'"),
        (["registries", "change", "x"], "Name a change"),
        (["login", "ftp://x", "--token-stdin"], "an address looks like"),
        (["nonsense"], "No such command"),
    ],
)
async def test_an_invalid_command_line_is_refused_without_a_request(
    home: Cli, arguments: Sequence[str], reason: str
) -> None:
    done = await home.run(*arguments, LONGSHORE_URL="http://127.0.0.1:1", LONGSHORE_TOKEN="x")
    assert (done.status, done.out) == (2, "")
    assert reason in done.err


async def test_an_absent_api_has_an_exit_status_of_its_own(home: Cli) -> None:
    done = await home.run("images", LONGSHORE_URL="http://127.0.0.1:1", LONGSHORE_TOKEN="x")
    assert (done.status, done.out) == (3, "")
    assert done.err.splitlines() == [
        "error: http://127.0.0.1:1 cannot be reached: Connection refused.",
        "hint:  Check the address, and that the API is running.",
    ]


async def test_an_import_prints_the_reference_to_pull(api: Api, cli: Cli, cart: str) -> None:
    """It is all of stdout, so that a script can use it."""
    image_id = await start(cli, cart)
    worker = await DrivenWorker(api).claim(REPOSITORY)
    await worker.report(a=arrived(MEGABYTE))
    await worker.ready()
    done = await cli.run("watch", image_id)
    reference = await api.value("SELECT registry_host || '/' || repository || ':' || tag FROM images")
    assert (done.status, done.out) == (0, f"{reference}\n")
    assert f"✔ {cart}: ready, sha256:ffffffffffff (3.0 MB; blobs: 1 copied)" in done.err


async def test_a_refused_import_has_the_reason(api: Api, cli: Cli, cart: str) -> None:
    done = await cli.run("import", cart.replace("1.0", "9.9"))
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("error: ")
    assert "hint:  Check repository and tag" in done.err
    assert "source_not_found, request " in done.err


async def test_a_failed_import_is_reported_and_retried(api: Api, cli: Cli, cart: str) -> None:
    image_id = await start(cli, cart)
    await (await DrivenWorker(api).claim(REPOSITORY)).fail("blob_not_found", "The layer is gone.")
    done = await cli.run("watch", image_id)
    assert (done.status, done.out) == (1, "")
    assert f"✘ {cart}: A layer is missing at the source: The layer is gone." in done.err
    assert "hint: The image is incomplete at the source; push it again." in done.err
    assert f"again: longshore retry {image_id}" in done.err
    answer = json.loads((await cli.run("retry", "--no-wait", "--json", image_id)).out)
    assert (answer["imageId"], answer["state"], answer["error"]) == (image_id, "started", None)
    refused = await cli.run("retry", image_id)
    assert (refused.status, "import_not_retryable" in refused.err) == (1, True)


async def test_watch_prints_changes_as_lines_of_json(api: Api, cli: Cli, cart: str) -> None:
    image_id = await start(cli, cart)
    await (await DrivenWorker(api).claim(REPOSITORY)).fail("blob_not_found", "Gone.")
    done = await cli.run("watch", "--json", image_id)
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert (done.status, lines[-1]["state"], lines[-1]["error"]["code"]) == (1, "failed", "blob_not_found")


async def test_images_are_listed_filtered_and_counted(api: Api, cli: Cli) -> None:
    await insert(api, "1", "2", "3")
    await insert(api, "1", repository="imports/other")
    table = await cli.run("images", "--limit", 2)
    header, *rows = table.out.splitlines()
    assert header.split() == ["ID", "IMAGE", "STATUS", "SIZE", "CREATED", "DIGEST", "USER", "SOURCE"]
    assert [row.split()[1] for row in rows] == ["imports/other:1", "imports/app:3"]
    assert "2 of 4 images" in table.err
    some = await cli.run("images", "app:", "--sort", "tag", "--asc", "-q", "--user", "user", "--ready", "--all")
    assert some.out.split() == ["1", "2", "3"]
    as_json = json.loads((await cli.run("images", "other", "--json")).out)
    assert [(image["repo"], image["imageTag"], image["size"]) for image in as_json] == [
        ("imports/other", "1", 3_000_000)
    ]
    none = await cli.run("images", "--not-ready")
    assert (none.status, none.out, none.err) == (0, "", "No images.\n")


async def test_an_image_is_shown_by_id_and_by_name(api: Api, cli: Cli, cart: str) -> None:
    image_id = await start(cli, cart)
    await api.execute("UPDATE images SET description = $1", "The \x1b[2Jcart")
    await (await DrivenWorker(api).claim(REPOSITORY)).report(a=arrived(MEGABYTE))
    by_id = await cli.run("show", image_id)
    assert (await cli.run("show", "cart:1.0")).out == by_id.out
    assert "aaaaaaaaaaaa  1.0 MB  100 %  copied" in by_id.out
    assert "\x1b" not in by_id.out
    reference = next(line for line in by_id.out.splitlines() if line.startswith("Reference")).split()[1]
    answer = json.loads((await cli.run("show", "--json", reference)).out)
    assert (answer["image"]["id"], answer["importingDetails"]["state"]) == (image_id, "running")


async def test_a_name_of_several_images_is_not_guessed(api: Api, cli: Cli) -> None:
    await insert(api, "1", repository="imports/a/app")
    await insert(api, "1", repository="imports/b/app")
    done = await cli.run("show", "app:1")
    assert done.status == 5
    assert "imports/a/app:1 (1)" in done.err
    assert (await cli.run("show", "nothing:1")).status == 5
    assert (await cli.run("show", "99")).status == 5


async def test_each_import_is_cancelled_separately(api: Api, cli: Cli, cart: str) -> None:
    image_id = await start(cli, cart)
    done = await cli.run("cancel", image_id, "99")
    assert done.status == 5
    assert f"Cancelled: image {image_id}" in done.err
    assert await api.value("SELECT state FROM imports") == "cancelled"
    assert (await cli.run("cancel", image_id)).status == 1


async def test_a_deletion_lists_the_tags_with_the_same_digest(api: Api, cli: Cli) -> None:
    """The target of these tests is away: the command prints the API's error, and the image stays."""
    first, *_ = await insert(api, "1", "2", "3")
    await insert(api, "4", letter="e")
    await insert(api, "1", repository="imports/app-two")
    done = await cli.run("delete", "--yes", first)
    assert done.status == 1
    assert "imports/app:1: image 1 of user, ready, 3.0 MB, sha256:ffffffffffff" in done.err
    assert (
        "The same digest in this repository: 3 (image 3), 2 (image 2). They stay, so only the tag is deleted."
        in done.err
    )
    assert "target_unreachable, request " in done.err
    both = await cli.run("delete", "--yes", "2", "3", "1")
    assert "The same digest" not in both.err
    assert "the manifest is deleted, too" in both.err


async def test_the_command_waits_for_an_unfinished_deletion(api: Api, cli: Cli) -> None:
    """With a slow target, the API answers before the deletion is complete."""
    [image_id] = await insert(api, "1")
    unfinished = {"code": "deletion_unfinished", "side": "target", "status": 504, "detail": "It goes on."}
    proxy = FaultyProxy(url_of(api), deletion=problem_answer(unfinished))
    async with proxy.running():
        running = asyncio.create_task(cli.run("delete", "--yes", image_id, LONGSHORE_URL=proxy.url))

        async def has_polled() -> bool:
            asked = [path for path, _ in proxy.seen]
            return asked.count(f"/api/v1/images/{image_id}") >= 3

        await until(has_polled)
        await api.execute("DELETE FROM images")
        done = await running
    assert (done.status, "Deleted imports/app:1: it is gone." in done.err) == (0, True)


async def test_registries_are_listed_and_managed(api: Api, cli: Cli) -> None:
    admin = {"LONGSHORE_TOKEN": api.tokens[Role.ADMIN]}
    quay = ("quay", "https://quay.io", "--username", "puller", "--password-stdin", "--default", "--access-everybody")
    assert (await cli.run("registries", "add", *quay, stdin="s3cret\n", **admin)).status == 0
    table = await cli.run("registries")
    assert table.out.splitlines()[1].split() == ["1", "quay", "https://quay.io", "puller", "yes", "everybody", "admin"]
    assert (await cli.run("registries", "change", "quay", "--no-default", "--no-account", **admin)).status == 0
    [changed] = json.loads((await cli.run("registries", "--json")).out)
    assert (changed["username"], changed["isDefault"]) == (None, False)
    assert (await cli.run("registries", "delete", "quay")).status == 4
    assert (await cli.run("registries", "delete", "quay", **admin)).status == 0
    assert (await cli.run("registries", "delete", "quay", **admin)).status == 5
    assert (await cli.run("registries")).err == "No registries are stored.\n"


async def test_statistics_are_shown(api: Api, cli: Cli) -> None:
    await insert(api, "1", "2")
    table = await cli.run("stats")
    assert "Managed here  2, 2 of them ready" in table.out
    figures: Any = json.loads((await cli.run("stats", "--json")).out)
    assert figures["totalImages"] == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_shells_complete_commands(home: Cli, shell: str) -> None:
    """The script asks the command for completions."""
    script = await home.run("completion", shell)
    assert (script.status, "_LONGSHORE_COMPLETE" in script.out) == (0, True)
    word = "im" if shell == "fish" else "1"
    asked = {"_LONGSHORE_COMPLETE": f"{shell}_complete", "COMP_WORDS": "longshore im", "COMP_CWORD": word}
    completed = await home.run(**asked)
    assert "import" in completed.out
    assert "images" in completed.out


async def test_the_help_lists_every_command(home: Cli) -> None:
    listed = (await home.run("--help")).out
    for command in ("login", "import", "images", "watch", "registries", "doctor", "completion"):
        assert f"\n  {command} " in listed
    assert "Exit status: 0 done" in listed
    assert (await home.run("--version")).out.startswith("longshore ")
