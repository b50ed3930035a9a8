"""The keys of a record a stretch at a time, in the order of time."""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from station.store import schema

ATTEMPTS = 2000
"""Read at a time."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Keys after `after` up to `until`; None: no end on that side."""

    after: str | None
    until: str | None

    def holds(self, key: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        ends = []
        if self.after is not None:
            ends.append(key > _asked(self.after))
        if self.until is not None:
            ends.append(key <= _asked(self.until))
        return sa.and_(sa.true(), *ends)


def _asked(key: object) -> sa.ColumnElement[str]:
    """A key that is no UTF-8 is asked for by its bytes."""
    if not isinstance(key, str) or schema.words(key) == key:
        return sa.literal(key)
    return sa.cast(sa.literal(key.encode("utf-8", "surrogateescape")), sa.Text)


def stretches(connection: sa.Connection) -> Iterator[Stretch]:
    """All keys there can be, cut where so many attempts have come."""
    key = schema.attempt_opened.c.id
    after: str | None = None
    while True:
        query = sa.select(key).order_by(key).offset(ATTEMPTS - 1).limit(1)
        until = connection.scalar(query if after is None else query.where(key > _asked(after)))
        yield Stretch(after, until)
        if until is None:
            return
        after = until
