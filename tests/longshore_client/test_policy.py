"""Rules, tokens, access lists and the audit log: the commands and the Python client, against the real API."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from longshore_client import (
    ApiError,
    AuditQuery,
    ImportRequest,
    LongshoreClient,
    NewToken,
    RegistryAccess,
)
from shared.model.roles import Role
from tests.api_service.api import Api
from tests.api_service.conftest import Source
from tests.longshore_client.conftest import Cli, url_of
from tests.longshore_client.driven_worker import MEGABYTE, DrivenWorker, arrived

TEAM = ("--group", "team-a", "--source", "quay.io/**", "--target", "team-a/**")
NEVER = {"LONGSHORE_URL": "http://127.0.0.1:1", "LONGSHORE_TOKEN": "x"}


@pytest.fixture
def admin(api: Api) -> Mapping[str, str]:
    """The environment of an admin."""
    return {"LONGSHORE_TOKEN": api.tokens[Role.ADMIN]}


@pytest.fixture
async def no_rules(api: Api) -> None:
    """Delete the rules that the tests of other areas import by."""
    await api.execute("DELETE FROM import_rules")


async def listed(cli: Cli, *arguments: str, **environment: str) -> Any:
    done = await cli.run(*arguments, "--json", **environment)
    assert done.status == 0, done
    return json.loads(done.out)


@pytest.mark.usefixtures("no_rules")
async def test_a_rule_is_created_shown_changed_and_deleted(cli: Cli, admin: Mapping[str, str]) -> None:
    """Sizes are read in both kinds of units, and printed so that they can be read back."""
    limits = ("--max-image-size", "40GB", "--max-open-imports", "5", "--max-size-per-month", "1.5TiB", "--weight", "3")
    done = await cli.run("rules", "create", "team-a", *TEAM, *limits, "--create-projects", **admin)
    assert (done.status, done.out, done.err[:22]) == (0, "", "Created: team-a, rule ")
    [rule] = await listed(cli, "rules", **admin)
    assert (rule["maxImageBytes"], rule["maxBytesPerMonth"], rule["weight"]) == (40 * 10**9, 1.5 * 2**40, 3)
    [header, row] = (await cli.run("rules", "list", **admin)).out.splitlines()
    assert header.split() == ["ID", "NAME", "WHO", "SOURCES", "TARGETS", "GRANTS", "LIMITS"]
    assert (
        "team-a  group:team-a  quay.io/**  team-a/**  new projects, weight 3  40 GB an image, 5 open, 1.5 TiB a month"
        in row
    )
    shown = (await cli.run("rules", "show", "team-a", **admin)).out
    assert "May import    group:team-a" in shown
    assert (await cli.run("rules", "show", rule["id"], **admin)).out == shown
    changes = ("--max-open-imports", "none", "--no-create-projects", "--rename", "team")
    assert (await cli.run("rules", "change", "team-a", *changes, **admin)).status == 0
    [changed] = await listed(cli, "rules", **admin)
    assert (changed["name"], changed["maxOpenImports"], changed["createProjects"]) == ("team", None, False)
    assert [changed[name] for name in ("maxImageBytes", "sources", "weight")] == [40 * 10**9, rule["sources"], 3]
    done = await cli.run("rules", "delete", "--yes", "team", **admin)
    assert (done.status, done.err) == (0, "Deleted: team\n")
    assert (await cli.run("rules", **admin)).err == "No rules.\n"
    assert (await cli.run("rules", "delete", "--yes", "team", **admin)).status == 5


@pytest.mark.usefixtures("no_rules")
async def test_parts_of_a_rule_are_added_and_removed(cli: Cli, admin: Mapping[str, str]) -> None:
    """Without --add and --remove, the given entries replace those of the rule."""
    await cli.run("rules", "create", "team-a", *TEAM, **admin)

    async def change(*arguments: str) -> Any:
        done = await cli.run("rules", "change", "team-a", *arguments, "--json", **admin)
        assert done.status == 0, done
        return json.loads(done.out)

    added = await change("--add", "--user", "anna", "--source", "ghcr.io/a/*", "--source", "quay.io/**")
    assert (added["subjects"], added["sources"]) == (["group:team-a", "user:anna"], ["quay.io/**", "ghcr.io/a/*"])
    removed = await change("--remove", "--group", "team-a", "--source", "quay.io/**")
    assert (removed["subjects"], removed["sources"]) == (["user:anna"], ["ghcr.io/a/*"])
    replaced = await change("--everybody")
    assert (replaced["subjects"], replaced["sources"]) == (["everybody"], ["ghcr.io/a/*"])
    done = await cli.run("rules", "change", "team-a", "--remove", "--user", "ben", **admin)
    assert (done.status, "The rule has no user:ben" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["rules", "create", "x", "--source", "a/b", "--target", "c/d"], "--user, --group or --everybody"),
        (["rules", "create", "x", "--everybody", "--target", "c/d"], "A rule needs --source"),
        (["rules", "create", "x", *TEAM, "--max-image-size", "big"], "'big' is no size"),
        (["rules", "create", "x", *TEAM, "--max-image-size", "0"], "at least one byte"),
        (["rules", "create", "x", *TEAM, "--max-open-imports", "0"], "'0' is no number"),
        (["rules", "change", "x"], "Name a change"),
        (["rules", "delete", "x"], "--yes deletes without one"),
        (["rules", "check", "a", "--group", "x"], "--group needs --user"),
        (["tokens", "create", "--days", "0"], "--days"),
        (["registries", "add", "q", "https://q", "--access-target", "a/**"], "An access list needs"),
        (["audit", "--since", "yesterday"], "'yesterday' is no time"),
    ],
)
async def test_an_invalid_command_line_is_refused_without_a_request(
    home: Cli, arguments: Sequence[str], reason: str
) -> None:
    done = await home.run(*arguments, **NEVER)
    assert (done.status, done.out) == (2, "")
    assert reason in done.err


@pytest.mark.usefixtures("no_rules")
async def test_users_see_the_rules_that_apply_to_them_with_what_is_left(
    cli: Cli, admin: Mapping[str, str], source: Source
) -> None:
    """An import by the rule counts at once."""
    done = await cli.run("rules")
    assert (done.status, done.err) == (0, "No rule applies to you: ask an administrator for one.\n")
    mine = ("--user", "user", "--source", f"{source.host}/**", "--target", "{user}/**", "--create-projects")
    await cli.run("rules", "create", "mine", *mine, "--max-open-imports", "2", "--max-size-per-month", "1TB", **admin)
    await cli.run("rules", "create", "team-a", *TEAM, **admin)
    [header, row] = (await cli.run("rules")).out.splitlines()
    assert header.split()[-1] == "LEFT"
    assert "mine" in row
    assert "2 open, 1 TB until" in row
    source.push("left/app")
    assert (await cli.run("import", "--no-wait", f"{source.host}/left/app:1.0", "--target", "user/app:1")).status == 0
    [_, row] = (await cli.run("rules")).out.splitlines()
    assert "1 open, 1 TB until" in row


@pytest.mark.usefixtures("no_rules")
async def test_a_refusal_says_what_the_user_can_do(
    cli: Cli, admin: Mapping[str, str], image_source: str, source: Source
) -> None:
    """The hint names the command; the exit status is that of what is not allowed."""
    refused = await cli.run("import", image_source)
    assert (refused.status, refused.out) == (4, "")
    assert "hint:  `longshore rules list` shows what you may import." in refused.err
    assert "source_not_allowed, request " in refused.err
    rule = ("--everybody", "--source", f"{source.host}/**", "--target", "mine/**", "--create-projects")
    await cli.run("rules", "create", "mine", *rule, "--max-open-imports", "1", **admin)
    refused = await cli.run("import", image_source, "--target", "prod/app:1")
    assert (refused.status, "hint:  Omit --target, or choose one" in refused.err) == (4, True)
    assert "target_not_allowed, request " in refused.err
    assert (await cli.run("import", "--no-wait", image_source, "--target", "mine/app:1")).status == 0
    source.push("limited/app")
    again = f"{source.host}/limited/app:1.0"
    refused = await cli.run("import", again, "--target", "mine/app:2")
    assert (refused.status, "limit_reached, request " in refused.err) == (4, True)
    assert "hint:  `longshore rules list` shows what is left of your limits." in refused.err
    many = await cli.run("import", again, again, "--no-wait", "--json")
    outcomes = json.loads(many.out)
    assert (many.status, {outcome["error"]["code"] for outcome in outcomes}) == (1, {"target_not_allowed"})


@pytest.mark.usefixtures("no_rules")
async def test_a_check_says_which_rule_allows_an_import(cli: Cli, admin: Mapping[str, str]) -> None:
    await cli.run("rules", "create", "team-a", *TEAM, **admin)
    arguments = ("rules", "check", "quay.io/a/app:1", "team-a/app:1")
    done = await cli.run(*arguments, "--user", "anna", "--group", "team-a", **admin)
    assert done.status == 0
    assert re.fullmatch(r"  team-a \(rule \d+\): .+\n", done.err)
    assert done.out.splitlines() == [
        "Source   quay.io/a/app",
        "Target   team-a/app:1",
        "Allowed  yes: The import rule team-a allows the import.",
    ]
    done = await cli.run(
        "rules", "check", "docker.io/library/x", "team-a/x", "--user", "a", "--group", "team-a", **admin
    )
    assert done.status == 4
    assert re.search(r"  team-a \(rule \d+\): .*source", done.err)
    assert "source_not_allowed" in done.err
    own = await cli.run(*arguments)
    assert (own.status, "Allowed  no: " in own.out) == (4, True)
    answer = json.loads((await cli.run(*arguments, "--json")).out)
    assert (answer["allowed"], answer["rules"]) == (False, [])
    assert (await cli.run(*arguments, "--user", "anna")).status == 4


async def test_a_token_is_created_used_listed_and_revoked(cli: Cli) -> None:
    """The token is all of stdout; the list never has it."""
    done = await cli.run("tokens", "create", "CI of team-a", "--days", "7")
    secret = done.out.strip()
    assert (done.status, done.out) == (0, f"{secret}\n")
    assert "valid for 7 days. It is shown only now:" in done.err
    assert secret not in done.err
    with_it = {"LONGSHORE_TOKEN": secret}
    [header, first, _] = (await cli.run("tokens", **with_it)).out.splitlines()
    assert header.split()[:4] == ["ID", "DESCRIPTION", "ROLE", "STATE"]
    assert "CI of team-a  user  valid for 7 days, used now" in first
    listing = await cli.run("tokens", "list", "--json")
    assert secret not in listing.out
    [token_id] = [token["id"] for token in json.loads(listing.out) if token["description"] == "CI of team-a"]
    done = await cli.run("tokens", "revoke", token_id, 999)
    assert (done.status, f"Revoked: token {token_id}" in done.err, "token_not_found" in done.err) == (5, True, True)
    assert "revoked" in (await cli.run("tokens")).out
    assert "CI of" not in (await cli.run("tokens", "list", "--valid")).out


async def test_admins_manage_the_tokens_of_all_users(api: Api, cli: Cli, admin: Mapping[str, str]) -> None:
    created = await cli.run("tokens", "create", "--user", "bot", "--group", "team-a", "--json", **admin)
    token = json.loads(created.out)
    assert (token["userName"], token["role"], token["groups"]) == ("bot", "user", ["team-a"])
    everybody = (await cli.run("tokens", "list", "--all", **admin)).out
    assert everybody.splitlines()[0].split()[1] == "USER"
    assert "bot" in everybody
    assert (await cli.run("tokens", "list", "--all")).status == 4
    assert (await cli.run("tokens", "revoke", token["id"])).status == 5
    assert (await cli.run("tokens", "revoke", token["id"], **admin)).status == 0


async def test_an_account_is_given_to_users(api: Api, cli: Cli, admin: Mapping[str, str]) -> None:
    """Each option replaces its part of the access list; users see the accounts that they may use."""
    quay = ("quay", "https://quay.io", "--username", "puller", "--password-stdin")
    given = ("--access-user", "user", "--access-target", "team-a/**")
    assert (await cli.run("registries", "add", *quay, *given, stdin="s3cret\n", **admin)).status == 0
    [stored] = await listed(cli, "registries", **admin)
    assert stored["access"] == {"subjects": ["user:user"], "repositories": ["**"], "targets": ["team-a/**"]}
    row = (await cli.run("registries")).out.splitlines()[1]
    assert "puller" in row
    assert "user; to team-a/**" in row
    await cli.run("registries", "change", "quay", "--access-group", "x", "--access-repository", "a/*", **admin)
    [stored] = await listed(cli, "registries", **admin)
    assert stored["access"] == {"subjects": ["group:x"], "repositories": ["a/*"], "targets": ["team-a/**"]}
    row = (await cli.run("registries")).out.splitlines()[1]
    assert ("puller" in row, "not for you" in row) == (False, True)
    await cli.run("registries", "change", "quay", "--no-access", **admin)
    [stored] = await listed(cli, "registries", **admin)
    assert stored["access"] is None
    assert (await cli.run("registries", **admin)).out.splitlines()[1].split()[3:5] == ["puller", "admins"]


async def test_a_registry_is_tested(cli: Cli, admin: Mapping[str, str], source: Source) -> None:
    """A registry that fails the test is an exit status, and a reason."""
    await cli.run("registries", "add", "here", f"http://{source.host}", **admin)
    done = await cli.run("registries", "test", "here", **admin)
    assert (done.status, done.out, done.err.startswith("✔ here, http://")) == (0, "", True), done
    await cli.run("registries", "add", "away", "http://127.0.0.1:1", **admin)
    done = await cli.run("registries", "test", "away", **admin)
    assert (done.status, done.err.startswith("✘ away, ")) == (1, True), done
    assert "code: source_unreachable" in done.err
    assert (await cli.run("registries", "test", "here")).status == 4


@pytest.mark.usefixtures("no_rules")
async def test_the_audit_log_is_listed_and_filtered(cli: Cli, admin: Mapping[str, str], image_source: str) -> None:
    """Refused requests have their code; the token's owner and the object are named."""
    await cli.run("import", image_source, "--target", "prod/app:1")
    await cli.run("rules", "create", "team-a", *TEAM, **admin)
    table = (await cli.run("audit", **admin)).out
    assert table.splitlines()[0].split()[:5] == ["TIME", "USER", "OPERATION", "OBJECT", "OUTCOME"]
    assert "source_not_allowed, 403" in table
    refused = await listed(cli, "audit", "--code", "source_not_allowed", "--since", "1h", **admin)
    assert [(event["userName"], event["operation"]) for event in refused] == [("user", "importImage")]
    by_admin = await listed(cli, "audit", "--user", "admin", **admin)
    assert [event["status"] for event in by_admin] == [201]
    assert await listed(cli, "audit", "--until", "1h", **admin) == []
    assert (await cli.run("audit")).status == 4
    some = await cli.run("audit", "--limit", "1", **admin)
    assert (len(some.out.splitlines()), "There are more than 1 requests" in some.err) == (2, True)


@pytest.mark.usefixtures("no_rules")
async def test_hidden_content_is_said_to_be_hidden(
    api: Api, cli: Cli, admin: Mapping[str, str], image_source: str, repository: str
) -> None:
    """A user without a rule for the source sees that there is a digest, and not which."""
    account = ("--username", "x", "--password-stdin")
    started = await cli.run("import", "--no-wait", image_source, *account, stdin="y\n", **admin)
    worker = await DrivenWorker(api).claim(repository)
    await worker.report(a=arrived(MEGABYTE))
    await worker.ready()
    shown = (await cli.run("show", started.out.strip())).out
    assert re.search(r"^By digest +hidden, as the layers are", shown, re.MULTILINE)
    assert "ffffffffffff" not in shown
    assert "aaaaaaaaaaaa" not in shown
    assert "ffffffffffff" in (await cli.run("show", started.out.strip(), **admin)).out


@pytest.mark.usefixtures("no_rules")
async def test_the_python_client_has_the_same(api: Api) -> None:
    """Rules, checks, tokens, access lists and the log as typed values."""
    async with LongshoreClient(url_of(api), api.tokens[Role.ADMIN]) as admin:
        rule = await admin.create_rule(
            name="team-a", subjects=["group:team-a"], sources=["quay.io/**"], targets=["team-a/**"], max_image_bytes=10
        )
        assert (rule.max_image_bytes, rule.max_open_imports, rule.user) == (10, None, "admin")
        changed = await admin.change_rule(rule.id, max_image_bytes=None, create_projects=True, weight=2)
        assert (await admin.rules()) == [changed]
        assert (changed.max_image_bytes, changed.create_projects, rule.weight, changed.weight) == (None, True, 1, 2)
        found = await admin.check_rules("quay.io/a/b:1", "team-a/b", user="anna", groups=["team-a"])
        assert (found.allowed, found.rule_id, found.target) == (True, rule.id, "team-a/b:1")
        with pytest.raises(ApiError) as twice:
            await admin.create_rule(name="team-a", subjects=["everybody"], sources=["**"], targets=["**"])
        assert twice.value.code == "rule_exists"
        await admin.delete_rule(rule.id)
        created = await admin.create_token(NewToken(description="mine", days=1))
        assert created.secret not in repr(created)
        async with LongshoreClient(url_of(api), created.secret) as other:
            assert (await other.whoami()).user == "admin"
            assert [token.current for token in await other.tokens() if token.id == created.token.id] == [True]
        await admin.revoke_token(created.token.id)
        access = RegistryAccess(subjects=("everybody",), repositories=("**",), targets=("{user}/**",))
        stored = await admin.add_registry("quay", "https://quay.io", access=access)
        assert (stored.access, stored.has_account) == (access, False)
        operations = [event.operation async for event in admin.audit_events(AuditQuery(user="admin"))]
        assert operations[0] == "createRegistry"
        page = await admin.audit_page(size=2)
        assert (len(page.events), page.next_before) == (2, page.events[-1].id)
    with pytest.raises(ApiError) as refused:
        async with LongshoreClient(url_of(api), api.tokens[Role.USER]) as user:
            await user.start(ImportRequest(source="quay.io/a/b:1"))
    assert (refused.value.code, refused.value.status) == ("source_not_allowed", 403)
