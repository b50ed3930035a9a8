"""What the header counts: units by their first and latest verdicts, asked of the record."""

from typing import Any

import sqlalchemy as sa

from station.live import Counts
from station.store.reading import reading
from station.store.scope import Scope
from station.store.yields import how_many, per_unit


def counts_since(url: str, station: str, since_utc_us: int) -> Counts:
    """Counts over the station's attempts that began at this time or later and are closed; what is
    a first attempt, and what is none, says `station.store.yields`.

    A clock that is set back behind this time takes what begins then out of the count; the line has
    an alarm about it. An attempt that named no unit is of no unit; golden units are none. Raises as
    `station.store.queries`.
    """
    with reading(url) as connection:
        row = connection.execute(question(station, since_utc_us)).one()
    return Counts(*(int(number or 0) for number in row))


def question(station: str, since_utc_us: int) -> sa.Select[Any]:
    """One row: good, first, first_pass; each null or 0 if there are none."""
    scope = Scope(station=station, since_utc_us=since_utc_us)
    unit = per_unit(scope.conditions()).subquery()
    numbers: list[sa.ColumnElement[Any]] = [
        how_many(unit.c.last_good == unit.c.last),
        sa.func.sum(unit.c.first_pass + unit.c.first_fail),
        sa.func.sum(unit.c.first_pass),
    ]
    return sa.select(*numbers)
