"""The list of `longshore import -f`: a source a line, a target where one is wanted, `#` before comments."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from longshore_client.import_request import ImportRequest

_MOST_WORDS = 2


def read_list(lines: Iterable[str], pattern: ImportRequest) -> Sequence[ImportRequest]:
    """Return a request for each line, all else as in the pattern; raises ValueError that names a line."""
    requests = []
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].split()
        if len(words) > _MOST_WORDS:
            raise ValueError(f"line {number}: a line is SOURCE or SOURCE TARGET")
        if words:
            source, *target = words
            requests.append(replace(pattern, source=source, target=target[0] if target else pattern.target))
    return requests
