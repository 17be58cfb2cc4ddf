"""The columns with encrypted accounts, for the rotation of their keys."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.db.database import Connection
from shared.model.sealed_account import Binding, Purpose
from shared.oci.engine_image import parse_source


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedColumn:
    """One column of a table whose rows have an `id`.

    `place` is the column that names the account's host, as itself or as part of an import's source. `username` is the
    column with the user name, if there is one.
    """

    table: str
    column: str
    purpose: Purpose
    place: str
    username: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedText:
    """One row's encrypted account, and the place that the row gives to it."""

    id: int
    sealed: bytes = field(repr=False)
    binding: Binding


# The complete list; a test compares it with the schema.
SEALED_COLUMNS: Sequence[SealedColumn] = (
    SealedColumn(
        table="source_registries",
        column="password",
        purpose=Purpose.STORED_REGISTRY,
        place="host",
        username="username",
    ),
    SealedColumn(table="imports", column="credentials", purpose=Purpose.IMPORT, place="source"),
)


async def sealed_texts(connection: Connection, where: SealedColumn, *, after: int, limit: int) -> list[SealedText]:
    """Return the texts of rows with an id above `after`, ordered by id."""
    rows = await connection.fetch(
        f"SELECT id, {where.column} AS sealed, {where.place} AS place, {where.username or 'NULL'} AS username "  # noqa: S608 - names from the list above
        f"FROM {where.table} "
        f"WHERE {where.column} IS NOT NULL AND id > $1 ORDER BY id LIMIT $2",
        after,
        limit,
    )
    return [_text(row, where) for row in rows]


async def replace_sealed(connection: Connection, where: SealedColumn, text: SealedText, sealed: bytes) -> bool:
    """Replace a text's encryption; False where another transaction has changed or removed the text meanwhile."""
    status = await connection.execute(
        f"UPDATE {where.table} SET {where.column} = $3 WHERE id = $1 AND {where.column} = $2",  # noqa: S608 - as above
        text.id,
        text.sealed,
        sealed,
    )
    return status == "UPDATE 1"


def _text(row: Any, where: SealedColumn) -> SealedText:
    host = parse_source(row["place"]).registry if where.purpose is Purpose.IMPORT else row["place"]
    binding = Binding(purpose=where.purpose, host=host, username=row["username"])
    return SealedText(id=row["id"], sealed=row["sealed"], binding=binding)
