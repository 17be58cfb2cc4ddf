"""Parser of server-sent events (HTML standard, section 9.2.6)."""

from dataclasses import dataclass, field

# The largest event that is accepted; the details of an image with twenty thousand layers are smaller. Bytes.
MAX_EVENT = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event; `retry` is the pause in seconds that the server asks for before a reconnect."""

    name: str
    id: str
    data: str
    retry: float | None


@dataclass(slots=True)
class EventReader:
    """Collects chunks of bytes and returns complete events."""

    _rest: bytes = b""
    _fields: dict[str, str] = field(default_factory=dict)
    # The lines of `data`, joined once: each event's cost grows with its size alone.
    _data: list[str] = field(default_factory=list)
    _size: int = 0

    def feed(self, chunk: bytes) -> list[Event]:
        """Add a chunk and return the events that it completes; raises ValueError above MAX_EVENT."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if self._size + len(self._rest) > MAX_EVENT:
            raise ValueError("an event does not end")
        events = (self._take_line(line.removesuffix(b"\r").decode(errors="replace")) for line in lines)
        return [event for event in events if event]

    def _take_line(self, line: str) -> Event | None:
        if not line:
            return self._complete()
        name, _, value = line.partition(":")
        if name:  # A line without a name is a comment, such as a keep-alive.
            self._size += len(line)
            value = value.removeprefix(" ")
            if name == "data":
                self._data.append(value)
            else:
                self._fields[name] = value
        return None

    def _complete(self) -> Event | None:
        fields, data = self._fields, self._data
        self._fields, self._data, self._size = {}, [], 0
        if not data:
            return None
        retry = fields.get("retry", "")
        return Event(
            name=fields.get("event", "message"),
            id=fields.get("id", ""),
            data="\n".join(data),
            retry=int(retry) / 1000 if retry.isdecimal() else None,
        )
