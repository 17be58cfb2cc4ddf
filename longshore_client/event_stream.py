"""Server-sent events out of bytes (HTML standard, section 9.2.6)."""

from dataclasses import dataclass, field

# An image with twenty thousand layers stays below; more than that is no event. Bytes.
MAX_EVENT = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event; `retry` is what the server wants a reader to wait before it comes back, in seconds."""

    name: str
    id: str
    data: str
    retry: float | None


@dataclass(slots=True)
class EventReader:
    """Takes bytes as they come and gives the events that have become whole. Raises ValueError on endless ones."""

    _rest: bytes = b""
    _fields: dict[str, str] = field(default_factory=dict)
    _size: int = 0

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if self._size + len(self._rest) > MAX_EVENT:
            raise ValueError("an event does not end")
        events = (self._line(line.removesuffix(b"\r").decode(errors="replace")) for line in lines)
        return [event for event in events if event]

    def _line(self, line: str) -> Event | None:
        if not line:
            return self._end()
        name, _, value = line.partition(":")
        if name:  # Else it is a comment, as keep-alives are.
            self._size += len(line)
            value = value.removeprefix(" ")
            before = self._fields.get(name)
            self._fields[name] = f"{before}\n{value}" if name == "data" and before is not None else value
        return None

    def _end(self) -> Event | None:
        fields, self._fields, self._size = self._fields, {}, 0
        if "data" not in fields:
            return None
        retry = fields.get("retry", "")
        return Event(
            name=fields.get("event", "message"),
            id=fields.get("id", ""),
            data=fields["data"],
            retry=int(retry) / 1000 if retry.isdecimal() else None,
        )
