"""The SQL of a list: one statement, and so one snapshot, for the page and the number of all images that match.

What keeps it fast with a million images (docs/performance.md has the figures):

- Unless a substring is asked for, the number is the sum of counts that are kept (image_counts).
- A page's ids are cut from an index alone, which holds whatever filters ask for; the table is read for the page's own
  rows. In the order of creation, cutting begins at the period that the page is in (image_periods). In other orders, a
  page in the second half is cut from the other end, and one beyond the end from nowhere.
- Where few images match, they are gathered and sorted instead, each being read once; by a number in the substring, if
  there is one, for it stands in fewer names than the words around it.
"""

import re
from dataclasses import dataclass
from typing import Any

from shared.db.image_list.page import ImageFilter, ImagePage

# Up to so many of one user are gathered when they are asked for in an order that has no index for users. With more of
# them, a pass over an index that has all images comes to ten soon enough. Images.
GATHERED_OF_USER = 1_000
# Up to so many with a substring are gathered, and counted by the way. Where there are more, PostgreSQL's statistics
# (of a hundred names) know it, and two passes over indexes, to count and to cut, cost less than trigrams do. Images.
GATHERED_BY_NAME = 50_000

# What a substring is looked for by where it is longer than that: `api-19999` by `19999`, an eighth of the work: no
# index knows which trigrams are rare. Shorter ones are years, or in every other name. Letters and digits.
_NUMBER = re.compile(r"[a-z0-9]{5,}")
# More images than this that have the number are not looked through for the rest of the substring. Images.
CANDIDATES = 2_000

# How long the periods are that image_periods counts images in: of all users together, and of one of them.
PERIOD = "24 hours"
PERIOD_OF_USER = "168 hours"

# What a substring must have for trigrams to narrow the search; those of `1.27` are in every other name, and a pass over
# an index that has all names is faster.
_TRIGRAM = re.compile(r"[a-z0-9]{3}")
_NAME_UNINDEXED = "(name || '')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement with its parameters' values. `value_dependent`: the best way to run it depends on them."""

    text: str
    values: list[Any]
    value_dependent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clauses:
    """`where` selects images, `counts` their counts; `back` is the order `forth` reversed.

    `name` is the condition for the substring, one of those in `where`; `others` are the rest, with one that many images
    may meet which do not meet `name`, where looking for that first is worth it.
    """

    where: str
    name: str
    others: str | None
    counts: str
    forth: str
    back: str
    offset: str
    values: list[Any]


def list_statement(columns: str, matching: ImageFilter, page: ImagePage) -> Statement:
    """Return a statement that yields `total` with each image of the page, and with NULLs where the page is empty."""
    clauses = _clauses(matching, page)
    of_user = matching.user_name is not None and page.column not in ("created_at", "created_by")
    if matching.tag:
        parts = _by_name(clauses, page)
    elif of_user:
        parts = _of_user(clauses, page)
    elif page.offset or matching.ready is not None:
        by_time = page.column == "created_at"
        parts = (
            f"{_kept(clauses)}, {_cut_by_time(matching, clauses, page) if by_time else _cut_by_count(clauses, page)}"
        )
    else:
        return Statement(text=_first(columns, clauses, page), values=clauses.values, value_dependent=False)
    text = f"""
        WITH {parts}
        SELECT {columns}, total FROM counted LEFT JOIN (page JOIN images USING (id)) ON TRUE ORDER BY {clauses.forth}
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
    name, others = "TRUE", None
    if matching.tag:
        text = matching.tag.lower()
        values.append(f"%{_literal(text)}%")
        name = f"{'name' if _TRIGRAM.search(text) else _NAME_UNINDEXED} LIKE ${len(values)}"
        if number := _number_in(text):
            values.append(f"%{number}%")
            others = " AND ".join((*where, f"name LIKE ${len(values)}"))
        where.append(name)
    ascending, descending = f"{page.column} ASC, id ASC", f"{page.column} DESC, id DESC"
    forth, back = (ascending, descending) if page.order == "asc" else (descending, ascending)
    offset = "0"
    if page.offset:
        values.append(page.offset)
        offset = f"${len(values)}::bigint"
    return _Clauses(
        where=" AND ".join(where),
        name=name,
        others=others,
        counts=counts,
        forth=forth,
        back=back,
        offset=offset,
        values=values,
    )


def _number_in(text: str) -> str | None:
    """Return the longest run of letters and digits that has a digit, if that is not the whole text."""
    numbers = [run for run in _NUMBER.findall(text) if not run.isalpha()]
    longest = max(numbers, key=len, default=text)
    return None if longest == text else longest


def _kept(clauses: _Clauses) -> str:
    return f"""
        counted AS MATERIALIZED (
            SELECT coalesce(sum(images), 0)::bigint AS total FROM image_counts WHERE {clauses.counts}
        )
    """


def _first(columns: str, clauses: _Clauses, page: ImagePage) -> str:
    """Return the statement for a first page that an index begins with: there is nothing to pass over."""
    return f"""
        WITH {_kept(clauses)}
        SELECT {columns}, total FROM counted LEFT JOIN (
            SELECT * FROM images WHERE {clauses.where} ORDER BY {clauses.forth} LIMIT {page.size}
        ) AS page ON TRUE
        ORDER BY {clauses.forth}
    """


def _cut_by_time(matching: ImageFilter, clauses: _Clauses, page: ImagePage) -> str:
    """Cut from the beginning of the page's period; there is none for a page beyond the end."""
    length = PERIOD if matching.user_name is None else PERIOD_OF_USER
    # There is one user, or none; but only so does PostgreSQL see that the index has this order, and stop early.
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
            ORDER BY {clauses.forth} LIMIT {page.size} OFFSET {clauses.offset} - (SELECT before FROM period)
        )
    """


def _cut_by_count(clauses: _Clauses, page: ImagePage) -> str:
    return f"page AS ({_cut(clauses, page)})"


def _cut(clauses: _Clauses, page: ImagePage, *, when: str = "TRUE") -> str:
    """Cut from the nearer end; the arm whose conditions on `counted` fail is not run."""
    offset, size = clauses.offset, page.size
    total = "(SELECT total FROM counted)"
    return f"""
        (
            SELECT id FROM images WHERE {clauses.where} AND {when} AND {offset} <= {total} / 2
            ORDER BY {clauses.forth} LIMIT {size} OFFSET {offset}
        ) UNION ALL (
            SELECT id FROM images WHERE {clauses.where} AND {when} AND {offset} > {total} / 2 AND {offset} < {total}
            ORDER BY {clauses.back}
            LIMIT least({size}, greatest({total} - {offset}, 0)) OFFSET greatest({total} - {offset}, {size}) - {size}
        ) LIMIT {size}
    """


def _by_name(clauses: _Clauses, page: ImagePage) -> str:
    return f"""
        {_gathered_by_name(clauses, page)},
        counted AS MATERIALIZED (
            SELECT CASE WHEN count(*) <= {GATHERED_BY_NAME} THEN count(*)
                   ELSE (SELECT count(*) FROM images WHERE {clauses.where}) END AS total
            FROM gathered
        ),
        {_gathered_or_cut(clauses, page, GATHERED_BY_NAME)}
    """


def _gathered_by_name(clauses: _Clauses, page: ImagePage) -> str:
    """Gather what matches, or one more than is to be gathered; among a number's candidates where these are few."""
    matching = f"SELECT id, {page.column} AS key FROM images WHERE {clauses.where}"
    if clauses.others is None:
        return f"gathered AS MATERIALIZED ({matching} LIMIT {GATHERED_BY_NAME} + 1)"
    few = f"(SELECT count(*) FROM candidates) <= {CANDIDATES}"
    return f"""
        candidates AS MATERIALIZED (
            SELECT id, {page.column} AS key, name FROM images WHERE {clauses.others} LIMIT {CANDIDATES} + 1
        ),
        gathered AS MATERIALIZED (
            (SELECT id, key FROM candidates WHERE {few} AND {clauses.name})
            UNION ALL
            ({matching} AND NOT ({few}))
            LIMIT {GATHERED_BY_NAME} + 1
        )
    """


def _of_user(clauses: _Clauses, page: ImagePage) -> str:
    return f"""
        {_kept(clauses)},
        gathered AS MATERIALIZED (
            SELECT id, {page.column} AS key FROM images
            WHERE {clauses.where} AND (SELECT total <= {GATHERED_OF_USER} AND total > {clauses.offset} FROM counted)
        ),
        {_gathered_or_cut(clauses, page, GATHERED_OF_USER)}
    """


def _gathered_or_cut(clauses: _Clauses, page: ImagePage, limit: int) -> str:
    few = f"(SELECT total FROM counted) <= {limit}"
    order = clauses.forth.replace(page.column, "key", 1)
    return f"""
        page AS (
            (SELECT id FROM gathered WHERE {few} ORDER BY {order} LIMIT {page.size} OFFSET {clauses.offset})
            UNION ALL
            ({_cut(clauses, page, when=f"NOT ({few})")})
            LIMIT {page.size}
        )
    """


def _literal(text: str) -> str:
    """Take LIKE's special meaning from backslash, per cent and underscore."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
