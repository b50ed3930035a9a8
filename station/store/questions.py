"""What goes wrong most, what has no end yet. See `station.store.queries` for what they raise."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from station.model import AttemptRecord, Outcome
from station.store import schema
from station.store.reading import reading
from station.store.records import Condition, each_record
from station.store.scope import Scope
from station.store.yields import GOOD, Rate

_opened = schema.attempt_opened
_closed = schema.attempt_closed


@dataclass(frozen=True, slots=True)
class Cause:
    """A failure code: how many production attempts ended with it, of how many units."""

    code: str
    headline: str
    outcome: Outcome
    attempts: int
    units: int
    of_attempts: int
    """That ended with any code."""

    @property
    def share(self) -> Rate:
        return Rate(self.attempts, self.of_attempts)


def pareto(url: str, scope: Scope) -> Iterator[Cause]:
    """The codes of what did not end well, the most frequent first; golden units are left out."""
    with reading(url) as connection:
        for row in connection.execute(pareto_question(scope)).mappings():
            yield Cause(**{**row, "of_attempts": int(row["of_attempts"])})


def pareto_question(scope: Scope) -> sa.Select[Any]:
    attempts: sa.ColumnElement[int] = sa.func.count()
    asked = scope.conditions()
    # The same by a constraint; of a part of the record not by the index of all failures ever.
    failed = _closed.c.outcome.not_in(GOOD) if asked else _closed.c.failure_code.is_not(None)
    return (
        sa.select(
            _closed.c.failure_code.label("code"),
            sa.func.max(_closed.c.failure_headline).label("headline"),
            _closed.c.outcome,
            attempts.label("attempts"),
            sa.func.count(_closed.c.unit_id.distinct()).label("units"),
            sa.func.sum(attempts).over().label("of_attempts"),
        )
        .join_from(_opened, _closed, _closed.c.attempt_id == _opened.c.id)
        .where(failed, _opened.c.purpose.is_(None), *asked)
        .group_by(_closed.c.failure_code, _closed.c.outcome)
        .order_by(attempts.desc(), _closed.c.failure_code, _closed.c.outcome)
    )


def open_attempts(url: str, scope: Scope) -> Iterator[AttemptRecord]:
    """Attempts without an end, the oldest first: what runs now, or what an engine that died left
    and no other has taken up since."""
    with reading(url) as connection:
        yield from each_record(connection, [*without_end(), *scope.conditions()])


def without_end() -> list[Condition]:
    """Found by keys alone."""
    opened, closed = _opened.alias("any_opened"), _closed.alias("any_closed")
    ended = sa.exists().where(closed.c.attempt_id == opened.c.id).correlate(opened)
    return [_opened.c.id.in_(sa.select(opened.c.id).where(~ended))]
