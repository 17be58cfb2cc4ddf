"""Every function that reads a foreign answer is within the boundary; the test finds them in the source."""

from pathlib import Path

import pytest

from tests.shared.http_client.readers import unguarded_readers

# Functions that the search takes for readers outside of the boundary, with the reason why they may be.
ALLOWED = {
    "shared/http_client/bulk/connection.py::BulkConnection._begin_body": "h11 has checked it",
    "shared/http_client/wire.py::_read_bounded": "collects bytes; the library's exceptions are translated",
    "shared/registry/download.py::read_blob": "passes bytes on; the library's exceptions are translated",
    "import_worker/adapters/api_client.py::ApiClient._send": "Longshore's own API",
    "import_worker/adapters/api_client.py::_json_object": "Longshore's own API",
    "import_worker/consumer.py::_read": "Longshore's own message",
    "import_worker/copying/image.py::ImageCopy._restore_content": "a manifest, which was read before",
    "api_service/imports/start.py::ImportStarter._answer": "a decision of the API",
    "api_service/registries/handlers.py::create_handler": "the API's own answer",
}


def test_every_reader_of_a_foreign_answer_is_within_the_boundary() -> None:
    """Decorate a new reader with `reads_answer`, `reads_content` or `reads_hint`, or call it from such a function."""
    found = {each.place: each.reads for each in unguarded_readers()}
    assert {place: reads for place, reads in found.items() if place not in ALLOWED} == {}
    assert set(ALLOWED) <= set(found), "an exception that nothing needs"


FOUND = {
    "a header": "def read(request, reply: Reply):\n    return reply.headers.get('Location')",
    "a header of headers": "def read(request, headers: CIMultiDictProxy[str]):\n    return headers['Range']",
    "a variable": "async def read(self, send):\n    answer = await send()\n    return answer.content[3]",
    "a parser": "def read(text):\n    return json.loads(text)",
    "a handler of less": "def read(text):\n    try:\n        json.loads(text)\n    except ValueError:\n        pass",
    "a caller outside": """
@reads_answer
def safe(request, reply: Reply):
    return read(reply)

def other(reply):
    return read(reply)

def read(reply: Reply):
    return int(reply.content)
""",
}
WITHIN = {
    "called from within": """
@reads_answer
def safe(request, reply: Reply):
    return read(reply)

def read(reply: Reply):
    return int(reply.content)
""",
    "a with": "def read(reply: Reply):\n    with refused_if_unreadable(refuse):\n        json.loads(reply.content)",
    "a handler of all": """
def read(text):
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return None
""",
    "passed on": "def read(request, reply: Reply):\n    return other(request, reply.headers, reply.status)",
    "a request": "def read(request: Request):\n    return request.headers['Accept']",
}


@pytest.mark.parametrize(
    ("body", "found"),
    [*((each, True) for each in FOUND.values()), *((each, False) for each in WITHIN.values())],
    ids=[*FOUND, *WITHIN],
)
def test_a_reader_outside_of_the_boundary_is_found(tmp_path: Path, body: str, found: bool) -> None:
    (tmp_path / "module.py").write_text(body)
    assert [each.title for each in unguarded_readers([tmp_path / "module.py"])] == ["read"] * found
