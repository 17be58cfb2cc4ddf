"""The columns with encrypted text, for the rotation of its keys."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.db.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedColumn:
    """One column of a table whose rows have an `id`."""

    table: str
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedText:
    """One row's encrypted text."""

    id: int
    sealed: bytes = field(repr=False)


# The complete list; a test compares it with the schema.
SEALED_COLUMNS: Sequence[SealedColumn] = (
    SealedColumn(table="source_registries", column="password"),
    SealedColumn(table="imports", column="credentials"),
)


async def sealed_texts(connection: Connection, where: SealedColumn, *, after: int, limit: int) -> list[SealedText]:
    """Return the texts of rows with an id above `after`, ordered by id."""
    rows = await connection.fetch(
        f"SELECT id, {where.column} AS sealed FROM {where.table} "  # noqa: S608 - names from the list above
        f"WHERE {where.column} IS NOT NULL AND id > $1 ORDER BY id LIMIT $2",
        after,
        limit,
    )
    return [SealedText(**dict(row)) for row in rows]


async def replace_sealed(connection: Connection, where: SealedColumn, text: SealedText, sealed: bytes) -> bool:
    """Replace a text's encryption; False where another transaction has changed or removed the text meanwhile."""
    status = await connection.execute(
        f"UPDATE {where.table} SET {where.column} = $3 WHERE id = $1 AND {where.column} = $2",  # noqa: S608 - as above
        text.id,
        text.sealed,
        sealed,
    )
    return status == "UPDATE 1"
