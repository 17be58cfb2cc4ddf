"""Details of images with thousands of layers: a part of the layers, all of them counted, and pages of the others."""

import hashlib
from typing import Any

import pytest

from api_service.images.import_details import MAX_LAYERS_SHOWN
from shared.messages.progress_report import MAX_LAYERS_REPORTED
from tests.api_service.api import BASE, Api
from tests.api_service.images.test_details import Import, started, streaming
from tests.api_service.images.test_visibility import Place, place

__all__ = ["place", "started"]  # Fixtures.

COUNT = MAX_LAYERS_REPORTED
# Of twenty layers, one is being downloaded, one has failed, four wait, and the others are complete.
STATUSES = (
    *("completed", "completed", "downloading", "pending", "completed", "failed", "pending"),
    *9 * ("completed",),
    *("pending", "pending", "completed", "completed"),
)


def digest(number: int) -> str:
    return f"sha256:{hashlib.sha256(str(number).encode()).hexdigest()}"


async def add_layers(api: Api, image_id: int, count: int = COUNT) -> None:
    """Give the image's newest import layers of 100 bytes; a third each is copied, mounted and existing."""
    await api.execute(
        """
        INSERT INTO import_layers (import_id, digest, position, size, byte_offset, status, transfer)
        SELECT max(imports.id), 'sha256:' || encode(sha256(n::text::bytea), 'hex'), n, 100,
               CASE status WHEN 'completed' THEN 100 WHEN 'pending' THEN 0 ELSE 40 END, status,
               CASE WHEN status <> 'pending' THEN (ARRAY['copied', 'mounted', 'existing'])[1 + n % 3] END
        FROM imports, generate_series(0, $2 - 1) AS n, LATERAL (SELECT ($3::text[])[1 + n % 20] AS status) AS of_it
        WHERE image_id = $1 GROUP BY n, status
        """,
        image_id,
        count,
        STATUSES,
    )


async def details(api: Api, image_id: int, query: str = "") -> Any:
    return await api.get(f"/images/{image_id}/importing-details{query}")


async def test_details_show_the_layers_that_move_and_count_all(started: Import) -> None:
    await add_layers(started.api, started.id)
    answer = await details(started.api, started.id)
    shown = answer["layersDetail"]
    assert list(shown) == [digest(n) for n in range(COUNT) if n % 20 == 2][:MAX_LAYERS_SHOWN]
    assert {layer["status"] for layer in shown.values()} == {"downloading"}
    summary = answer["layersSummary"]
    counts = {status: COUNT * STATUSES.count(status) // 20 for status in ("pending", "downloading", "completed")}
    assert counts["downloading"] > MAX_LAYERS_SHOWN
    assert {status: summary[status] for status in counts} == counts
    assert (summary["total"], summary["shown"], summary["failed"]) == (COUNT, MAX_LAYERS_SHOWN, COUNT // 20)
    moved = [summary[transfer] for transfer in ("copied", "mounted", "existing")]
    assert sum(transfer["layers"] for transfer in moved) == COUNT - counts["pending"]
    assert sum(transfer["bytes"] for transfer in moved) == counts["completed"] * 100 + 2 * (COUNT // 20) * 40


async def test_failed_layers_come_before_waiting_and_completed_ones(started: Import) -> None:
    """In the image's order, whichever are chosen."""
    await add_layers(started.api, started.id, 2_000)
    shown = (await details(started.api, started.id))["layersDetail"]
    chosen = [n for n in range(2_000) if n % 20 in (2, 5)]
    chosen += [n for n in range(2_000) if STATUSES[n % 20] == "pending"][: MAX_LAYERS_SHOWN - len(chosen)]
    assert list(shown) == [digest(n) for n in sorted(chosen)]


@pytest.mark.parametrize("count", [1, MAX_LAYERS_SHOWN - 1, MAX_LAYERS_SHOWN])
async def test_an_ordinary_image_has_all_its_layers_in_its_order(started: Import, count: int) -> None:
    await add_layers(started.api, started.id, count)
    answer = await details(started.api, started.id)
    assert list(answer["layersDetail"]) == [digest(n) for n in range(count)]
    summary = answer["layersSummary"]
    statuses = [layer["status"] for layer in answer["layersDetail"].values()]
    assert (summary["total"], summary["shown"]) == (count, count)
    assert {status: summary[status] for status in set(STATUSES)} == {
        status: statuses.count(status) for status in set(STATUSES)
    }


async def test_pages_have_every_layer_once_in_the_images_order(started: Import) -> None:
    await add_layers(started.api, started.id, 1_000)
    pages = [await details(started.api, started.id, f"?page_num={number}") for number in range(5)]
    assert [len(page["layersDetail"]) for page in pages] == [300, 300, 300, 100, 0]
    assert [digest for page in pages for digest in page["layersDetail"]] == [digest(n) for n in range(1_000)]
    assert {page["layersSummary"]["total"] for page in pages} == {1_000}
    (layer,) = (await details(started.api, started.id, "?page_num=2&page_size=1"))["layersDetail"]
    assert layer == digest(2)


@pytest.mark.parametrize(
    "query",
    ["page_num=-1", "page_num=x", "page_num=0&page_size=0", "page_num=0&page_size=301", "page_num=1&page_num=2"],
)
async def test_a_page_that_cannot_be_is_refused(started: Import, query: str) -> None:
    answer = await started.api.call("GET", f"{BASE}/images/{started.id}/importing-details?{query}")
    assert (answer.status, answer.code) == (400, "validation_failed")


async def test_parameters_of_other_clients_are_ignored(started: Import) -> None:
    assert await details(started.api, started.id, "?nocache=1") == await details(started.api, started.id)


async def test_a_stream_has_the_same_part(started: Import) -> None:
    await add_layers(started.api, started.id)
    async with streaming(started.api, started.id) as stream:
        event = await stream.next()
        assert event
        assert event.details == await details(started.api, started.id)


@pytest.mark.parametrize("query", ["", "?page_num=0"])
async def test_hidden_layers_are_not_counted(place: Place, query: str) -> None:
    await add_layers(place.api, place.image_id, 1_000)
    path = f"/images/{{id}}/importing-details{query}"
    hidden, seen = [(await place.read(path, reader)).body for reader in ("other", "owner")]
    assert (hidden["layersDetail"], hidden["layersSummary"]["total"]) == ({}, 0)
    assert (len(seen["layersDetail"]), seen["layersSummary"]["total"]) == (MAX_LAYERS_SHOWN, 1_002)


async def test_no_layer_of_an_ended_import_is_counted_as_being_copied(started: Import) -> None:
    await add_layers(started.api, started.id, 1_000)
    await started.api.execute("UPDATE imports SET state = 'cancelled', finished_at = now()")
    answer = await details(started.api, started.id)
    summary = answer["layersSummary"]
    assert (summary["downloading"], summary["failed"]) == (0, 100)
    assert {layer["status"] for layer in answer["layersDetail"].values()} == {"failed", "pending"}
