"""The SQL of a list: one statement, and so one snapshot, for the page and the number of all matching images.

It stays fast with a million images (docs/performance.md has the figures):

- Without a substring, the number is the sum of stored counts (image_counts).
- A page's ids are sliced from an index alone, which contains the filters' columns; the table is read only for the
  page's rows. In the order of creation, the slice starts at the page's period (image_periods). In other orders, a page
  in the second half is sliced from the other end, and a page beyond the end reads nothing.
- Where few images match, they are collected and sorted instead, and each is read once. If the substring contains a
  number, they are found by it, because it occurs in fewer names than the words around it.
"""

import re
from dataclasses import dataclass
from typing import Any

from shared.db.image_list.page import ImageFilter, ImagePage

# Up to so many images of one user are collected for an order that has no index by user. With more of them, a scan of an
# index over all images finds a page of ten soon enough. Images.
COLLECTED_OF_USER = 1_000
# Up to so many images with a substring are collected, and counted on the way. PostgreSQL's statistics (of a hundred
# names) show where there are more; two index scans, to count and to slice, then cost less than trigrams. Images.
COLLECTED_BY_NAME = 50_000

# The part of a longer substring that is searched first: `19999` for `api-19999`, an eighth of the work, because no
# index knows which trigrams are rare. Shorter numbers are years, or occur in every other name. Letters and digits.
_NUMBER = re.compile(r"[a-z0-9]{5,}")
# With more images than this that contain the number, they are not searched for the rest of the substring. Images.
CANDIDATES = 2_000

# The length of the periods in image_periods: for all users together, and for one user.
PERIOD = "24 hours"
PERIOD_OF_USER = "168 hours"

# A substring must contain this for trigrams to narrow the search: those of `1.27` occur in every other name, and a scan
# of an index over all names is faster.
_TRIGRAM = re.compile(r"[a-z0-9]{3}")
_NAME_UNINDEXED = "(name || '')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement with its parameters' values. `value_dependent`: the best plan depends on the values."""

    text: str
    values: list[Any]
    value_dependent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clauses:
    """`where` selects images, `counts` their stored counts; `reverse_order` is `order` reversed.

    `name` is the substring's condition, which is part of `where`. `candidates` replaces it by a weaker condition on the
    number in the substring; None where searching for a number first is not worthwhile.
    """

    where: str
    name: str
    candidates: str | None
    counts: str
    order: str
    reverse_order: str
    offset: str
    values: list[Any]


def list_statement(columns: str, matching: ImageFilter, page: ImagePage) -> Statement:
    """Return a statement that yields `total` with each image of the page, or once with NULLs for an empty page."""
    clauses = _clauses(matching, page)
    of_user = matching.user_name is not None and page.column not in ("created_at", "created_by")
    if matching.tag:
        parts = _by_name(clauses, page)
    elif of_user:
        parts = _of_user(clauses, page)
    elif page.offset or matching.ready is not None:
        by_time = page.column == "created_at"
        page_slice = _slice_by_time(matching, clauses, page) if by_time else _slice_by_count(clauses, page)
        parts = f"{_stored_count(clauses)}, {page_slice}"
    else:
        return Statement(text=_first(columns, clauses, page), values=clauses.values, value_dependent=False)
    text = f"""
        WITH {parts}
        SELECT {columns}, total FROM counted LEFT JOIN (page JOIN images USING (id)) ON TRUE ORDER BY {clauses.order}
    """
    return Statement(text=text, values=clauses.values, value_dependent=bool(matching.tag) or of_user)


def _clauses(matching: ImageFilter, page: ImagePage) -> _Clauses:
    where, counts, values = ["TRUE"], "created_by IS NULL", list[Any]()
    if matching.user_name is not None:
        values.append(matching.user_name)
        where.append("created_by = $1")
        counts = "created_by = $1"
    if matching.ready is not None:
        where.append("status = 'ready'" if matching.ready else "status <> 'ready'")
        counts += f" AND ready = {matching.ready}"
    name, candidates = "TRUE", None
    if matching.tag:
        text = matching.tag.lower()
        values.append(f"%{_literal(text)}%")
        name = f"{'name' if _TRIGRAM.search(text) else _NAME_UNINDEXED} LIKE ${len(values)}"
        if number := _number_in(text):
            values.append(f"%{number}%")
            candidates = " AND ".join((*where, f"name LIKE ${len(values)}"))
        where.append(name)
    ascending, descending = f"{page.column} ASC, id ASC", f"{page.column} DESC, id DESC"
    order, reverse_order = (ascending, descending) if page.order == "asc" else (descending, ascending)
    offset = "0"
    if page.offset:
        values.append(page.offset)
        offset = f"${len(values)}::bigint"
    return _Clauses(
        where=" AND ".join(where),
        name=name,
        candidates=candidates,
        counts=counts,
        order=order,
        reverse_order=reverse_order,
        offset=offset,
        values=values,
    )


def _number_in(text: str) -> str | None:
    """Return the longest run of letters and digits that contains a digit, unless it is the whole text."""
    numbers = [run for run in _NUMBER.findall(text) if not run.isalpha()]
    longest = max(numbers, key=len, default=text)
    return None if longest == text else longest


def _stored_count(clauses: _Clauses) -> str:
    return f"""
        counted AS MATERIALIZED (
            SELECT coalesce(sum(images), 0)::bigint AS total FROM image_counts WHERE {clauses.counts}
        )
    """


def _first(columns: str, clauses: _Clauses, page: ImagePage) -> str:
    """Return the statement for a first page at the start of an index: there is nothing to skip."""
    return f"""
        WITH {_stored_count(clauses)}
        SELECT {columns}, total FROM counted LEFT JOIN (
            SELECT * FROM images WHERE {clauses.where} ORDER BY {clauses.order} LIMIT {page.size}
        ) AS page ON TRUE
        ORDER BY {clauses.order}
    """


def _slice_by_time(matching: ImageFilter, clauses: _Clauses, page: ImagePage) -> str:
    """Slice from the start of the page's period; a page beyond the end has no period."""
    length = PERIOD if matching.user_name is None else PERIOD_OF_USER
    # There is one user, or none; with the column here, PostgreSQL sees that the index has this order, and stops early.
    order = f"created_by {page.order}, starts_at {page.order}"
    begins = f"< (SELECT starts_at + interval '{length}' FROM period)"
    if page.order == "asc":
        begins = ">= (SELECT starts_at FROM period)"
    return f"""
        period AS MATERIALIZED (
            SELECT starts_at, upto - own AS before FROM (
                SELECT *, sum(own) OVER (ORDER BY {order} ROWS UNBOUNDED PRECEDING) AS upto FROM (
                    SELECT created_by, starts_at, sum(images)::integer AS own FROM image_periods WHERE {clauses.counts}
                    GROUP BY created_by, starts_at ORDER BY {order}
                ) AS periods
            ) AS added_up
            WHERE upto > {clauses.offset} ORDER BY {order} LIMIT 1
        ),
        page AS (
            SELECT id FROM images WHERE {clauses.where} AND created_at {begins}
            ORDER BY {clauses.order} LIMIT {page.size} OFFSET {clauses.offset} - (SELECT before FROM period)
        )
    """


def _slice_by_count(clauses: _Clauses, page: ImagePage) -> str:
    return f"page AS ({_slice(clauses, page)})"


def _slice(clauses: _Clauses, page: ImagePage, *, when: str = "TRUE") -> str:
    """Slice from the nearer end; the branch whose condition on `counted` fails is not executed."""
    offset, size = clauses.offset, page.size
    total = "(SELECT total FROM counted)"
    return f"""
        (
            SELECT id FROM images WHERE {clauses.where} AND {when} AND {offset} <= {total} / 2
            ORDER BY {clauses.order} LIMIT {size} OFFSET {offset}
        ) UNION ALL (
            SELECT id FROM images WHERE {clauses.where} AND {when} AND {offset} > {total} / 2 AND {offset} < {total}
            ORDER BY {clauses.reverse_order}
            LIMIT least({size}, greatest({total} - {offset}, 0)) OFFSET greatest({total} - {offset}, {size}) - {size}
        ) LIMIT {size}
    """


def _by_name(clauses: _Clauses, page: ImagePage) -> str:
    return f"""
        {_collected_by_name(clauses, page)},
        counted AS MATERIALIZED (
            SELECT CASE WHEN count(*) <= {COLLECTED_BY_NAME} THEN count(*)
                   ELSE (SELECT count(*) FROM images WHERE {clauses.where}) END AS total
            FROM collected
        ),
        {_collected_or_sliced(clauses, page, COLLECTED_BY_NAME)}
    """


def _collected_by_name(clauses: _Clauses, page: ImagePage) -> str:
    """Collect matching images, at most one more than the limit; among a number's candidates if these are few."""
    matching = f"SELECT id, {page.column} AS key FROM images WHERE {clauses.where}"
    if clauses.candidates is None:
        return f"collected AS MATERIALIZED ({matching} LIMIT {COLLECTED_BY_NAME} + 1)"
    few = f"(SELECT count(*) FROM candidates) <= {CANDIDATES}"
    return f"""
        candidates AS MATERIALIZED (
            SELECT id, {page.column} AS key, name FROM images WHERE {clauses.candidates} LIMIT {CANDIDATES} + 1
        ),
        collected AS MATERIALIZED (
            (SELECT id, key FROM candidates WHERE {few} AND {clauses.name})
            UNION ALL
            ({matching} AND NOT ({few}))
            LIMIT {COLLECTED_BY_NAME} + 1
        )
    """


def _of_user(clauses: _Clauses, page: ImagePage) -> str:
    return f"""
        {_stored_count(clauses)},
        collected AS MATERIALIZED (
            SELECT id, {page.column} AS key FROM images
            WHERE {clauses.where} AND (SELECT total <= {COLLECTED_OF_USER} AND total > {clauses.offset} FROM counted)
        ),
        {_collected_or_sliced(clauses, page, COLLECTED_OF_USER)}
    """


def _collected_or_sliced(clauses: _Clauses, page: ImagePage, limit: int) -> str:
    few = f"(SELECT total FROM counted) <= {limit}"
    order = clauses.order.replace(page.column, "key", 1)
    return f"""
        page AS (
            (SELECT id FROM collected WHERE {few} ORDER BY {order} LIMIT {page.size} OFFSET {clauses.offset})
            UNION ALL
            ({_slice(clauses, page, when=f"NOT ({few})")})
            LIMIT {page.size}
        )
    """


def _literal(text: str) -> str:
    """Escape backslash, per cent and underscore for LIKE."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
