"""GET /images: both forms, every parameter."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.api_service.api import BASE, Api

START = datetime(2025, 1, 15, 10, 0, 0, tzinfo=UTC)
DIGEST = "sha256:" + 64 * "a"

# repository, tag, status, size, created by; created a minute apart, the oldest first.
IMAGES = (
    ("ai/pytorch", "2.0-cuda11.8", "ready", 5_368_709_120, "admin"),
    ("ai/pytorch", "2.1", "importing", 0, "alice"),
    ("web/nginx", "1.27", "ready", 100, "alice"),
    ("ai/50%_off", "a_b", "failed", 0, "bob"),
    ("web/nginx", "1.26", "ready", 100, "bob"),
)


@pytest.fixture
async def listed(api: Api) -> Api:
    """An API with five images."""
    for number, (repository, tag, status, size, user) in enumerate(IMAGES):
        await api.execute(
            """
            INSERT INTO images (registry_host, repository, tag, description, status, source, source_digest, digest,
                                size, architecture, os, platforms, include_type, created_at, created_by)
            VALUES ('harbor.example.com', $1, $2, $1 || ' image', $3::text, 'docker.io/x:y', $7,
                    CASE WHEN $3::text = 'ready' THEN $7 END, $4, 'amd64', 'linux', '{linux/amd64}', 'full', $5, $6)
            """,
            repository,
            tag,
            status,
            size,
            START + timedelta(minutes=number),
            user,
            DIGEST,
        )
    return api


def names(body: Any) -> list[str]:
    """Return `repository:tag` of each image in a grouped answer, in its order."""
    return [f"{group['repo']}:{artifact['imageTag']}" for group in body["images"] for artifact in group["artifacts"]]


async def ids(api: Api, query: str) -> list[int]:
    return [image["id"] for image in (await api.get(f"/images?flat=true&{query}"))["images"]]


async def test_the_flat_form_is_the_contracts(listed: Api) -> None:
    """The fields are those of the contract's example."""
    body = await listed.get("/images?flat=true&tag=cuda")
    assert body == {
        "totalCount": 1,
        "images": [
            {
                "id": 1,
                "tag": "pytorch:2.0-cuda11.8",
                "description": "ai/pytorch image",
                "created_at": 1736935200,
                "created_by": "admin",
            }
        ],
    }


async def test_the_grouped_form_is_the_contracts(listed: Api) -> None:
    """The fields are those of the contract's example, with three more; this form is the default."""
    body = await listed.get("/images?tag=cuda")
    assert body == {
        "totalCount": 1,
        "images": [
            {
                "registryHost": "harbor.example.com",
                "repo": "ai/pytorch",
                "artifacts": [
                    {
                        "imageTag": "2.0-cuda11.8",
                        "description": "ai/pytorch image",
                        "createdTime": "2025-01-15T10:00:00.000Z",
                        "userName": "admin",
                        "status": "ready",
                        "id": 1,
                        "size": 5368709120,
                        "arch": "amd64",
                        "os": "linux",
                        "digest": DIGEST,
                        "includeType": "full",
                        "platforms": ["linux/amd64"],
                        "source": "docker.io/x:y",
                        "contentHidden": False,
                    }
                ],
            }
        ],
    }
    assert body == await listed.get("/images?tag=cuda&flat=false")


async def test_an_empty_list_is_an_answer(api: Api) -> None:
    assert await api.get("/images") == {"totalCount": 0, "images": []}


async def test_an_image_that_was_never_ready_keeps_the_fields_types(listed: Api) -> None:
    (group,) = (await listed.get("/images?tag=2.1"))["images"]
    assert (group["artifacts"][0]["digest"], group["artifacts"][0]["size"]) == ("", 0)


async def test_groups_come_in_order_of_first_appearance(listed: Api) -> None:
    """Newest first: the group of both nginx images is at the newer one's position."""
    body = await listed.get("/images")
    assert names(body) == [
        "web/nginx:1.26",
        "web/nginx:1.27",
        "ai/50%_off:a_b",
        "ai/pytorch:2.1",
        "ai/pytorch:2.0-cuda11.8",
    ]
    assert [group["repo"] for group in body["images"]] == ["web/nginx", "ai/50%_off", "ai/pytorch"]


@pytest.mark.parametrize("flat", ["true", "false"])
async def test_pages_are_the_same_images_in_both_forms(listed: Api, flat: str) -> None:
    """The page is cut before it is grouped, and totalCount counts images."""
    seen = []
    for page in range(3):
        body = await listed.get(f"/images?page_num={page}&page_size=2&flat={flat}&order=asc")
        assert body["totalCount"] == 5
        artifacts = body["images"] if flat == "true" else [a for group in body["images"] for a in group["artifacts"]]
        seen += [artifact["id"] for artifact in artifacts]
    assert seen[:4] == [1, 2, 3, 4]
    assert seen == [1, 2, 3, 4, 5]


async def test_a_page_beyond_the_end_is_empty(listed: Api) -> None:
    body = await listed.get("/images?page_num=46116860184273879&page_size=200")
    assert body == {"totalCount": 5, "images": []}


async def test_a_page_has_ten_images_by_default(api: Api) -> None:
    await api.execute(
        """
        INSERT INTO images (registry_host, repository, tag, status, source, created_by)
        SELECT 'h', 'r/r', n::text, 'importing', 's', 'u' FROM generate_series(1, 12) AS n
        """
    )
    assert len((await api.get("/images?flat=true"))["images"]) == 10


@pytest.mark.parametrize(
    ("order_by", "ascending"),
    [
        ("createdTime", [1, 2, 3, 4, 5]),
        ("created_at", [1, 2, 3, 4, 5]),
        ("id", [1, 2, 3, 4, 5]),
        ("tag", [5, 3, 1, 2, 4]),
        ("repo", [4, 1, 2, 3, 5]),
        ("size", [2, 4, 3, 5, 1]),
        ("userName", [1, 2, 3, 4, 5]),
        ("created_by", [1, 2, 3, 4, 5]),
        ("status", [4, 2, 1, 3, 5]),
    ],
)
async def test_every_order_has_the_id_as_its_tie_breaker(listed: Api, order_by: str, ascending: list[int]) -> None:
    assert await ids(listed, f"orderBy={order_by}&order=asc") == ascending
    assert await ids(listed, f"orderBy={order_by}&order=desc") == ascending[::-1]
    assert await ids(listed, f"orderBy={order_by}") == ascending[::-1]


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ("pytorch", [1, 2]),
        ("PyTorch", [1, 2]),
        ("pytorch:2.0", [1]),
        ("nginx:1.2", [3, 5]),
        ("%", [4]),
        ("_", [4]),
        ("50%_o", [4]),
        ("a_b", [4]),
        ("ai_pytorch", []),
        ("\\", []),
        ("", [1, 2, 3, 4, 5]),
        ("ü", []),
    ],
)
async def test_tag_finds_a_part_of_repository_and_tag(listed: Api, tag: str, found: list[int]) -> None:
    """The search ignores case, and LIKE's wildcards match literally."""
    assert await ids(listed, f"order=asc&tag={quote(tag)}") == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("ready=true", [1, 3, 5]),
        ("ready=false", [2, 4]),
        ("userName=alice", [2, 3]),
        ("userName=ALICE", []),
        ("userName=ali", []),
        ("userName=alice&ready=true&tag=nginx", [3]),
    ],
)
async def test_filters_narrow_the_list_and_its_count(listed: Api, query: str, found: list[int]) -> None:
    body = await listed.get(f"/images?flat=true&order=asc&{query}")
    assert [image["id"] for image in body["images"]] == found
    assert body["totalCount"] == len(found)


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        ("page_num", ["-1", "x", "", "1.0", "+1", "1_0", "٣", " 1", str(2**63), "9" * 400]),
        ("page_size", ["0", "201", "-1", "ten", ""]),
        ("orderBy", ["", "name", "created_at; DROP TABLE images", "CREATEDTIME"]),
        ("order", ["", "ASC", "up"]),
        ("ready", ["", "1", "yes", "TRUE", "null"]),
        ("flat", ["", "0", "False"]),
        ("tag", ["a\0b", "x" * 401, "a\nb"]),
        ("userName", ["", "x" * 129, "a\0b"]),
        ("unknown", ["1", ""]),
    ],
)
async def test_a_bad_value_is_refused_by_name(api: Api, parameter: str, values: list[str]) -> None:
    for value in values:
        answer = await api.call("GET", f"{BASE}/images", params={parameter: value})
        assert (answer.status, answer.code) == (400, "validation_failed"), (value, answer)
        assert [failing["field"] for failing in answer.body["errors"]] == [parameter]
        assert "state" not in answer.body


async def test_a_parameter_given_twice_is_refused(api: Api) -> None:
    """The API does not guess which value was meant."""
    answer = await api.call("GET", f"{BASE}/images?page_num=1&page_num=2")
    assert [failing["field"] for failing in answer.body["errors"]] == ["page_num"]


async def test_one_image_shows_how_to_pull_it(listed: Api) -> None:
    body = await listed.get("/images/1")
    assert (body["id"], body["registryHost"], body["repo"]) == (1, "harbor.example.com", "ai/pytorch")
    assert body["reference"] == "harbor.example.com/ai/pytorch:2.0-cuda11.8"
    assert body["digestReference"] == f"harbor.example.com/ai/pytorch@{DIGEST}"
    assert (await listed.get("/images/2"))["digestReference"] is None


@pytest.mark.parametrize(
    "image_id", ["99", "0", "-1", "abc", "1.0", "9223372036854775808", "9" * 30, "٣", "%00", "1%2F2"]
)
@pytest.mark.parametrize("path", ["", "/importing-details"])
async def test_an_id_that_no_image_has_is_not_found(api: Api, image_id: str, path: str) -> None:
    """This holds for numbers and for other texts: the path names no image."""
    answer = await api.call("GET", f"{BASE}/images/{image_id}{path}")
    assert (answer.status, answer.code) == (404, "image_not_found")
