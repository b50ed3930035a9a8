"""One moment of the record, on a connection that cannot write."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from station.errors import DatabaseError, NoDatabase
from station.store.database import database_errors, reader_engine, shown
from station.store.migrate import is_missing, require_current


@contextmanager
def reading(url: str) -> Iterator[sa.Connection]:
    """A transaction that sees one moment and never waits for the writer.

    A database that is missing, damaged or of another revision raises DatabaseError,
    SchemaOutdated or SchemaTooNew.
    """
    place = shown(url)
    if is_missing(url):
        raise NoDatabase(f"there is no database at {place}; `station db upgrade` creates it")
    try:
        with database_errors(url), reader_engine(url).connect() as connection:
            require_current(connection, place)
            yield connection
    except (LookupError, ValueError) as error:
        raise DatabaseError(f"database {place}: a row holds an unknown value ({error})") from error
