"""Is the database one that can be worked with? Schema, file, tables and guards, references; not
whether a row is as it was written, which `verify` asks."""

from collections.abc import Iterator

import sqlalchemy as sa

from station.store.reading import reading
from station.store.untouched import changed_schema, damage_within


def faults(url: str) -> list[tuple[str, str]]:
    """What is not as it must be, and why; [] for a sound one. Raises as `reading`."""
    with reading(url) as connection:
        return [
            *damage_within(connection),
            *changed_schema(connection),
            *_loose_references(connection),
        ]


def _loose_references(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    """A database server never lets go of its own."""
    if connection.dialect.name != "sqlite":
        return
    told: set[tuple[str, str]] = set()
    for table, _, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        if (table, parent) not in told:
            told.add((table, parent))
            yield f"table {table}", f"it refers to rows of {parent} that are not there"
