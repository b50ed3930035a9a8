"""Whether stations share a record: one has a file of its own, many may have a server's."""

import sqlalchemy as sa

from station.store import schema
from station.store.reading import reading


def is_shared(url: str) -> bool:
    """Whether more than one station has ever written; raises as `station.store.queries`."""
    with reading(url) as connection:
        return has_many(connection)


def has_many(connection: sa.Connection) -> bool:
    name = schema.chain.c.station
    first, last = (connection.scalar(sa.select(end(name))) for end in (sa.func.min, sa.func.max))
    return bool(first != last)
