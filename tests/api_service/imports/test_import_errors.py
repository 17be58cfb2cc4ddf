"""Wrong inputs to POST /images:import: each has its status, code and sentence, and the contract's state 0."""

import zlib
from dataclasses import dataclass, replace
from typing import Any

import pytest

from deploy.local.images.synthetic import synthetic_image
from deploy.local.stack import Registry, Remote
from shared.model.roles import Role
from tests.api_service.api import BASE, Answer, Api
from tests.api_service.conftest import OpenApi, Source
from tests.scripted.hostile import Answer as Scripted
from tests.scripted.hostile import HostileRegistry, error

JSON = {"Content-Type": "application/json"}
MANIFEST = "/v2/app/manifests/1.0"


def check(answer: Answer, status: int, code: str, sentence: str) -> None:
    """Check a refusal against the contract and RFC 9457."""
    assert (answer.status, answer.code) == (status, code), answer
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    body = answer.body
    assert sentence in body["detail"], body["detail"]
    assert body["type"] == f"urn:longshore:error:{code}"
    assert body["status"] == status
    assert body["hint"]
    assert body["title"]
    assert body["requestId"] == answer.headers["X-Request-ID"]
    assert (body["state"], body["message"], body["alreadyImageId"]) == (0, body["detail"], 0)


def fields(answer: Answer) -> set[str]:
    return {failing["field"] for failing in answer.body["errors"]}


@dataclass(frozen=True)
class Wrong:
    body: dict[str, Any]
    field: str


@pytest.mark.parametrize(
    "wrong",
    [
        Wrong({}, "source"),
        Wrong({"source": None}, "source"),
        Wrong({"source": ""}, "source"),
        Wrong({"source": 5}, "source"),
        Wrong({"source": ["a"]}, "source"),
        Wrong({"source": "a\tb"}, "source"),
        Wrong({"source": "a" * 1025}, "source"),
        Wrong({"source": "app", "tag": "1"}, "tag"),
        Wrong({"source": "app", "dryRun": "true"}, "dryRun"),
        Wrong({"source": "app", "sourceRegistry": 1}, "sourceRegistry"),
        Wrong({"source": "app", "sourceRegistry": "https://quay.io"}, "sourceRegistry"),
        Wrong({"source": "app", "target": "no-project"}, "target"),
        Wrong({"source": "app", "platforms": "linux/amd64"}, "platforms"),
        Wrong({"source": "app", "platforms": []}, "platforms"),
        Wrong({"source": "app", "platforms": ["linux"]}, "platforms.0"),
        Wrong({"source": "app", "platforms": [7]}, "platforms.0"),
        Wrong({"source": "app", "credentials": "a:b"}, "credentials"),
        Wrong({"source": "app", "credentials": {"username": "a"}}, "credentials.password"),
        Wrong({"source": "app", "credentials": {"username": "a", "password": "b", "token": "c"}}, "credentials.token"),
        Wrong({"source": "app", "force": 1}, "force"),
        Wrong({"source": "app", "force": "true"}, "force"),
        Wrong({"source": "app", "description": 2001 * "x"}, "description"),
        Wrong({"source": "app", "description": "a\u0007b"}, "description"),
    ],
    ids=lambda wrong: f"{wrong.field}={str(wrong.body)[:40]}",
)
async def test_unknown_fields_and_wrong_types_are_named(api: Api, wrong: Wrong) -> None:
    answer = await api.post_import(wrong.body)
    check(answer, 400, "validation_failed", wrong.field)
    assert fields(answer) == {wrong.field}


async def test_all_failing_fields_are_reported_at_once(api: Api) -> None:
    answer = await api.post_import({"source": 1, "force": 2, "zzz": 3})
    assert fields(answer) == {"source", "force", "zzz"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"source=app", "not JSON"),
        (b"[1]", "not an object"),
        (b'{"source": "a", "source": "b"}', "key twice"),
        (b'{"source": "a\\u0000"}', "NUL"),
        (b'{"source": "\\ud800"}', "surrogate"),
        (b'{"source": NaN}', "NaN"),
        (b"\xff", "UTF-8"),
    ],
)
async def test_a_body_that_is_no_json_object_is_refused(api: Api, body: bytes, reason: str) -> None:
    answer = await api.call("POST", f"{BASE}/images:import", data=body, headers=JSON)
    check(answer, 400, "body_malformed", reason)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_other_content_types_are_refused(api: Api, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    answer = await api.call("POST", f"{BASE}/images:import", data=b'{"source": "app"}', headers=headers)
    check(answer, 415, "content_type_unsupported", content_type)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_too_large_is_refused(api: Api, *, chunked: bool) -> None:
    """This holds with and without a Content-Length."""

    async def pieces() -> Any:
        for _ in range(70):
            yield 1024 * b" "

    data = pieces() if chunked else 70 * 1024 * b" "
    answer = await api.call("POST", f"{BASE}/images:import", data=data, headers=JSON)
    check(answer, 413, "body_too_large", "more than 65536 bytes")


async def test_a_compressed_body_cannot_grow_beyond_the_limit(api: Api) -> None:
    """A megabyte of blanks is compressed to a kilobyte."""
    bomb = zlib.compress(1024 * 1024 * b" ")
    headers = {**JSON, "Content-Encoding": "deflate"}
    answer = await api.call("POST", f"{BASE}/images:import", data=bomb, headers=headers)
    check(answer, 413, "body_too_large", "more than 65536 bytes")


async def test_a_body_with_a_broken_encoding_is_refused(api: Api) -> None:
    headers = {**JSON, "Content-Encoding": "gzip"}
    answer = await api.call("POST", f"{BASE}/images:import", data=b"no gzip", headers=headers)
    check(answer, 400, "body_malformed", "encoding is broken")


async def test_a_malformed_reference_is_refused(api: Api) -> None:
    check(await api.post_import({"source": "docker.io/UPPER"}), 400, "reference_malformed", "not a repository name")


async def test_two_different_registries_are_refused(api: Api) -> None:
    answer = await api.post_import({"source": "quay.io/app", "sourceRegistry": "docker.io"})
    check(answer, 400, "source_registry_conflict", "quay.io")


async def test_an_unknown_tag_is_refused(api: Api, source: Source, image_source: str) -> None:
    answer = await api.post_import({"source": image_source.replace(":1.0", ":2.0")})
    check(answer, 404, "source_not_found", "2.0")
    assert answer.body["side"] == "source"


@pytest.mark.parametrize("credentials", [None, {"username": "puller", "password": "wrong-password"}])
async def test_a_private_source_without_good_credentials_is_refused(
    api: Api, source_registry: Registry, credentials: dict[str, str] | None
) -> None:
    """The API answers at once, so that the caller can correct the credentials; no answer repeats the password."""
    Remote.of(source_registry).push("private/app", "1.0", synthetic_image("p", [10], platforms=("linux/amd64",)))
    answer = await api.post_import({"source": f"{source_registry.host}/private/app:1.0", "credentials": credentials})
    check(answer, 403, "source_denied", source_registry.host)
    assert "`credentials`" in answer.body["hint"]
    assert "wrong-password" not in str(answer.body)


@pytest.mark.parametrize("host", ["127.0.0.1:1", "no-such-host.invalid"])
async def test_an_unreachable_registry_is_refused(api: Api, host: str) -> None:
    """A port of one digit has no derived name: `team-1` is a usual name of a project's folder, and of no host."""
    answer = await api.post_import({"source": f"{host}/app:1.0", "target": "team/app:1.0"})
    check(answer, 502, "source_unreachable", host)


async def test_an_address_that_is_not_allowed_is_not_called(
    api: Api, open_api: OpenApi, settings: Any, image_source: str
) -> None:
    """Cloud metadata and internal services are unreachable unless the operator allows them."""
    closed = replace(settings.shared.source_network, allowed_private=())
    async with open_api(replace(settings, shared=replace(settings.shared, source_network=closed))) as strict:
        answer = await strict.post_import({"source": image_source})
        check(answer, 403, "source_host_refused", "may not be called")
        assert "ALLOWED_PRIVATE" in answer.body["hint"]


@pytest.mark.parametrize("index", [True, False])
async def test_an_unknown_platform_is_refused_with_those_there_are(
    api: Api, source: Source, repository: str, *, index: bool
) -> None:
    """The platforms come from an index, or from the config of a single image."""
    platforms = ("linux/amd64", "linux/arm64") if index else ("linux/amd64",)
    source.push(repository, platforms=platforms, index=index)
    answer = await api.post_import({"source": f"{source.host}/{repository}:1.0", "platforms": ["windows/amd64"]})
    check(answer, 422, "platform_not_available", f"it offers {', '.join(platforms)}.")


async def test_a_schema_1_image_is_refused(api: Api, hostile: HostileRegistry) -> None:
    old = {"Content-Type": "application/vnd.docker.distribution.manifest.v1+prettyjws"}
    hostile.on("HEAD", MANIFEST, Scripted(headers=old))
    hostile.on("GET", MANIFEST, Scripted(headers=old, body=b'{"schemaVersion": 1}'))
    answer = await api.post_import({"source": f"{hostile.host}/app:1.0"})
    check(answer, 422, "manifest_unsupported", "schema 1")


async def test_what_is_no_registry_is_refused(api: Api, hostile: HostileRegistry) -> None:
    hostile.on("HEAD", MANIFEST, Scripted(raw=b"SSH-2.0-OpenSSH_9.2\r\n", close=True))
    check(await api.post_import({"source": f"{hostile.host}/app:1.0"}), 502, "source_protocol_error", hostile.host)


async def test_a_registry_that_forbids_is_refused(api: Api, hostile: HostileRegistry) -> None:
    hostile.on("HEAD", MANIFEST, error(403, "DENIED"))
    check(await api.post_import({"source": f"{hostile.host}/app:1.0"}), 403, "source_denied", hostile.host)


async def test_without_a_token_nothing_is_started(api: Api) -> None:
    answer = await api.post_import({"source": "app"}, role=None)
    check(answer, 401, "unauthenticated", "no Authorization header")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_an_expired_token_has_a_code_of_its_own(api: Api) -> None:
    answer = await api.post_import({"source": "app"}, token=await api.token("alice", lifetime=-1))
    check(answer, 401, "token_expired", "expired")


async def test_a_worker_starts_no_imports(api: Api) -> None:
    check(await api.post_import({"source": "app"}, role=Role.WORKER), 403, "forbidden", "role is worker")


async def test_a_refused_request_leaves_nothing_behind(api: Api, image_source: str) -> None:
    await api.post_import({"source": image_source.replace(":1.0", ":2.0")})
    await api.post_import({"source": image_source, "platforms": ["windows/amd64"]})
    assert await api.value("SELECT (SELECT count(*) FROM images) + (SELECT count(*) FROM outbox)") == 0
