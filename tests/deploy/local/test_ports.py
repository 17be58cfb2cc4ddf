"""Port reservations are exclusive."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploy.local.processes import ports as module
from deploy.local.processes.ports import Ports

# A separate range, which these tests can exhaust.
FIRST, LAST = 31_900, 31_903


@pytest.fixture(autouse=True)
def small_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST", FIRST)
    monkeypatch.setattr(module, "LAST", LAST)


def test_reservations_made_at_once_all_differ() -> None:
    """A port is reserved before any server listens on it."""
    books = [Ports() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        reserved = list(pool.map(Ports.reserve, books))
    for book in books:
        book.close()
    assert sorted(reserved) == [31_900, 31_901, 31_902, 31_903]


def test_a_port_in_use_is_not_given_out() -> None:
    """Ports of programs without reservations are skipped, on whatever address they listen."""
    book = Ports()
    with socket.create_server(("127.0.0.2", FIRST)), socket.create_server(("", FIRST + 1)):
        assert {book.reserve(), book.reserve()} == {FIRST + 2, LAST}
        with pytest.raises(RuntimeError, match="no free port"):
            book.reserve()
    book.close()


def test_a_closed_book_gives_its_ports_back() -> None:
    """Released ports can be reserved again."""
    for _ in range(2):
        book = Ports()
        assert len({book.reserve() for _ in range(4)}) == 4
        book.close()
