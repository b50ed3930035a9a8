"""What the header counts: units by their first and latest verdicts, asked of the record."""

from typing import Any

import sqlalchemy as sa

from station.live import Counts
from station.model import Outcome
from station.store import schema
from station.store.reading import reading

_opened = schema.attempt_opened
_closed = schema.attempt_closed


def counts_since(url: str, station: str, since_utc_us: int) -> Counts:
    """Counts over the station's attempts that began at this time or later and are closed.

    A clock that is set back behind this time takes what begins then out of the count; the line has
    an alarm about it. An attempt that named no unit is of no unit; golden units are none. Raises as
    `station.store.queries`.
    """
    with reading(url) as connection:
        row = connection.execute(question(station, since_utc_us)).one()
    return Counts(*(int(number or 0) for number in row))


def question(station: str, since_utc_us: int) -> sa.Executable:
    """One row: good, first, first_pass; each null or 0 if there are none."""
    each = _verdicts(station, since_utc_us).subquery()
    good = each.c.outcome.in_((Outcome.PASS, Outcome.NO_CHANGE))
    first = sa.and_(each.c.judged, each.c.from_first == 1)
    passed = each.c.outcome == Outcome.PASS
    numbers = (sa.and_(good, each.c.from_last == 1), first, sa.and_(first, passed))
    return sa.select(*map(_how_many, numbers))


def _verdicts(station: str, since_utc_us: int) -> sa.Select[Any]:
    """Each closed attempt: its unit and outcome, whether it judges the unit, and its place among
    the unit's attempts from the last, and from the first among those that judge or do not."""
    unit_id = sa.func.coalesce(_opened.c.unit_id, _closed.c.unit_id)
    judged = _closed.c.outcome.in_((Outcome.PASS, Outcome.FAIL))
    return (
        sa.select(
            _closed.c.outcome,
            judged.label("judged"),
            _place(unit_id, order=_opened.c.id.desc()).label("from_last"),
            _place(unit_id, judged, order=_opened.c.id).label("from_first"),
        )
        .join_from(_opened, _closed, _closed.c.attempt_id == _opened.c.id)
        .where(
            _opened.c.station == station,
            _opened.c.started_utc_us >= since_utc_us,
            unit_id.is_not(None),
            _opened.c.purpose.is_(None),
        )
    )


def _place(*group: Any, order: Any) -> sa.ColumnElement[int]:  # noqa: ANN401 - SQLAlchemy's column arguments share no public type
    return sa.func.row_number().over(partition_by=group, order_by=order)


def _how_many(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.sum(sa.case((condition, 1), else_=0))
