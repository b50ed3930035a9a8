"""One moment of the record, on a connection that cannot write."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from station.errors import (
    DatabaseError,
    HistoryTrouble,
    NoDatabase,
    RecordDamaged,
    WrittenMeanwhile,
)
from station.store.database import reader, shown
from station.store.revision import require_current, require_there


@contextmanager
def reading(url: str) -> Iterator[sa.Connection]:
    """A transaction that sees one moment and never waits for the writer.

    Raises NoDatabase, SchemaOutdated, SchemaTooNew, RecordDamaged; HistoryTrouble where it cannot
    be read; when it is over, WrittenMeanwhile where it was of no one moment after all.
    """
    try:
        with nothing_to_save():
            require_there(url)
            with reader(url) as connection:
                require_current(connection, shown(url))
                yield connection
    except (LookupError, ValueError) as error:
        words = f"database {shown(url)}: a row holds an unknown value ({error})"
        raise HistoryTrouble(words) from error


@contextmanager
def nothing_to_save() -> Iterator[None]:
    """A DatabaseError says that something was not saved, and tells what to do with the module: to
    whoever only reads it is HistoryTrouble. What says more passes."""
    try:
        yield
    except (NoDatabase, RecordDamaged, WrittenMeanwhile):
        raise
    except DatabaseError as error:
        raise HistoryTrouble(error.cause) from error
