"""The public contract's examples: they match the OpenAPI document, and the API answers in the same form."""

from datetime import UTC, datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from api_service.web.openapi import examples
from tests.api_service.api import BASE, Api
from tests.api_service.contract import KNOWN, contract_examples
from tests.api_service.described import document

FLAT = "List Images: Response Example (flat=true)"
GROUPED = "List Images: Response Example (flat=false)"
REQUEST = "Import Image: Request Example"
STARTED = "Import Image: Response Example"
DETAILS = "Get Image Import Details: Response Example"
STATISTICS = "Get Harbor Statistics: Response Example"

# Each example's place in the OpenAPI document.
PLACES = {
    FLAT: ("get", "/images", "200"),
    GROUPED: ("get", "/images", "200"),
    REQUEST: ("post", "/images:import", None),
    STARTED: ("post", "/images:import", "200"),
    DETAILS: ("get", "/images/{id}/importing-details", "200"),
    STATISTICS: ("get", "/harbor/stats", "200"),
}


def test_every_example_of_the_contract_is_known() -> None:
    assert set(contract_examples()) == KNOWN == set(PLACES)


@pytest.mark.parametrize("name", PLACES)
def test_an_example_of_the_contract_is_of_the_form_that_the_api_describes(name: str) -> None:
    method, path, status = PLACES[name]
    operation = document()["paths"][f"{BASE}{path}"][method]
    place = operation["responses"][status] if status else operation["requestBody"]
    form = place["content"]["application/json"]["schema"]
    Draft202012Validator({"components": document()["components"], **form}).validate(contract_examples()[name])


def test_the_description_shows_the_contracts_examples() -> None:
    shown = {
        FLAT: examples.FLAT_PAGE,
        GROUPED: examples.GROUPED_PAGE,
        REQUEST: examples.IMPORT_REQUEST,
        STARTED: examples.IMPORT_STARTED,
        DETAILS: examples.DETAILS,
        STATISTICS: examples.STATISTICS,
    }
    assert shown == contract_examples()


def contained(example: Any, answer: Any) -> Any:
    """Return the part of the answer that the example describes: its fields, at every depth."""
    if isinstance(example, dict) and isinstance(answer, dict):
        return {name: contained(value, answer[name]) for name, value in example.items()}
    if isinstance(example, list) and isinstance(answer, list) and len(example) == len(answer):
        return [contained(one, other) for one, other in zip(example, answer, strict=True)]
    return answer


async def insert_image(api: Api, **values: Any) -> None:
    """Insert one image, with defaults for the fields that the examples lack."""
    row = {
        "registry_host": "harbor.example.com",
        "status": "ready",
        "source": "docker.io/pytorch/pytorch:2.0.0-cuda11.7-cudnn8-runtime",
        "digest": "sha256:abc123...",
        "architecture": "amd64",
        "os": "linux",
        "platforms": ["linux/amd64"],
        **values,
    }
    places = ", ".join(f"${number + 1}" for number in range(len(row)))
    columns = ", ".join(row)
    await api.execute(
        f"INSERT INTO images ({columns}) OVERRIDING SYSTEM VALUE VALUES ({places})",  # fixed names
        *row.values(),
    )


async def insert_older_images(api: Api, number: int) -> None:
    await api.execute(
        """
        INSERT INTO images (registry_host, repository, tag, status, source, created_by, created_at)
        SELECT 'harbor.example.com', 'ai/older', 'v' || n, 'failed', 'docker.io/x:1', 'bob', timestamptz '2020-01-01'
        FROM generate_series(1, $1) AS n
        """,
        number,
    )


async def test_the_flat_list_is_the_contracts_example(api: Api) -> None:
    """Fifty images, one on the page: each field of the example, and no other."""
    example = contract_examples()[FLAT]
    (image,) = example["images"]
    repository, _, tag = image["tag"].partition(":")
    await insert_older_images(api, example["totalCount"] - 1)
    await insert_image(
        api,
        id=image["id"],
        repository=f"ai/{repository}",
        tag=tag,
        description=image["description"],
        created_at=datetime.fromtimestamp(image["created_at"], UTC),
        created_by=image["created_by"],
    )
    assert await api.get("/images?page_num=0&page_size=1&flat=true") == example


async def test_the_grouped_list_is_the_contracts_example(api: Api) -> None:
    """Each field of the example, and additionally platforms and source."""
    example = contract_examples()[GROUPED]
    (group,) = example["images"]
    (artifact,) = group["artifacts"]
    await insert_older_images(api, example["totalCount"] - 1)
    await insert_image(
        api,
        id=artifact["id"],
        registry_host=group["registryHost"],
        repository=group["repo"],
        tag=artifact["imageTag"],
        description=artifact["description"],
        created_at=datetime.fromisoformat(artifact["createdTime"]),
        created_by=artifact["userName"],
        status=artifact["status"],
        size=artifact["size"],
        architecture=artifact["arch"],
        os=artifact["os"],
        digest=artifact["digest"],
        include_type=artifact["includeType"],
    )
    answer = await api.get("/images?page_num=0&page_size=1&flat=false")
    assert contained(example, answer) == example
    assert set(answer["images"][0]["artifacts"][0]) - set(artifact) == {"contentHidden", "platforms", "source"}


async def test_the_import_is_answered_as_in_the_contracts_example(api: Api, image_source: str) -> None:
    """State, message and id, and additionally the new image's id and the import's name."""
    example = contract_examples()[STARTED]
    body = {"source": image_source, "sourceRegistry": image_source.partition("/")[0]}
    assert set(body) == set(contract_examples()[REQUEST])
    answer = await api.start(body)
    assert contained(example, answer) == example
    assert set(answer) - set(example) == {"imageId", "name"}


async def test_the_details_are_the_contracts_example(api: Api, image_source: str) -> None:
    """One layer is completed, one is at 45 percent; layers have their digests as keys, unlike in the example."""
    example = contract_examples()[DETAILS]
    started = await api.start({"source": image_source})
    await api.claim(started["name"])
    for position, (layer, shown) in enumerate(example["layersDetail"].items()):
        await api.execute(
            """
            INSERT INTO import_layers (import_id, digest, position, size, byte_offset, status)
            SELECT id, $1, $2, 100, $3, $4 FROM imports
            """,
            layer,
            position,
            shown["progress"],
            shown["status"],
        )
    answer = await api.get(f"/images/{started['imageId']}/importing-details")
    assert contained(example, answer) == example


async def test_the_statistics_are_the_contracts_example(api: Api) -> None:
    """A plain registry reports no figures: the answer counts the managed images, and says so."""
    example = contract_examples()[STATISTICS]
    await api.execute(
        """
        INSERT INTO images (registry_host, repository, tag, status, source, created_by, digest, size)
        SELECT 'harbor.example.com', 'project' || n % $1::int || '/app', 'v' || n, 'ready', 'docker.io/x:1', 'bob', 'x',
            CASE n WHEN 1 THEN $3::bigint ELSE 0 END
        FROM generate_series(1, $2::int) AS n
        """,
        example["totalProjects"],
        example["totalImages"],
        example["totalSize"],
    )
    answer = await api.get("/harbor/stats")
    assert contained(example, answer) == example
    assert answer["scope"] == "managed"
