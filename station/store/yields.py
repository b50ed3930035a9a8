"""Yield and loss, defined once: whatever shows such a number counts it here.

What counts is a production attempt (`purpose` empty: a golden unit is none) of a unit with a name:
of the one that it ended with, when all names were read.

* It *judges* if it ended PASS or FAIL. Refused (BLOCKED), stopped by a person (ABORTED) or already
  as wanted (NO_CHANGE) says nothing of the work; ERROR and INTERRUPTED are the station's loss.
  They are told beside the rates and are in none.
* It is the unit's *first* at a package if no earlier one on record judged the unit at that package;
  one that ended before it had a package counts for any.

    first-pass yield   first attempts that are PASS                     / first attempts
    final yield        judged units whose last PASS, NO_CHANGE or FAIL is good / judged units
    retest rate        attempts that judge, beyond one for each unit    / judged units

Each first attempt stands where and when it was made, so the numbers of days, slots, people, lots,
shifts and recipes add up to those of all, whatever they were asked with. Units do not: one that was
tried in two slots is a unit of both. Earlier is what was begun earlier, whatever the clock said.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from typing import Any

import sqlalchemy as sa

from station.model import Outcome
from station.store import schema
from station.store.reading import reading
from station.store.records import Condition
from station.store.scope import Scope
from station.store.stations import has_many

_opened = schema.attempt_opened
_closed = schema.attempt_closed
_recipe = schema.recipe

_DAY_US = 86_400_000_000
_EPOCH = date(1970, 1, 1)
JUDGED = (Outcome.PASS, Outcome.FAIL)
GOOD = (Outcome.PASS, Outcome.NO_CHANGE)
STATION_LOSS = (Outcome.ERROR, Outcome.INTERRUPTED)


class By(Enum):
    """What yield is asked by; days are UTC."""

    ALL = "all"
    DAY = "day"
    SLOT = "slot"
    OPERATOR = "operator"
    LOT = "lot"
    SHIFT = "shift"
    RECIPE = "recipe"


@dataclass(frozen=True, slots=True)
class Rate:
    """An exact fraction."""

    part: int
    whole: int

    def __str__(self) -> str:
        """`97.3 %`, cut and not rounded, so that 100 % is all; `-` of nothing."""
        if not self.whole:
            return "-"
        tenths = 1000 * self.part // self.whole
        return f"{tenths // 10}.{tenths % 10} %"


@dataclass(frozen=True, slots=True)
class ShiftStarted:
    utc_us: int
    operator: str


@dataclass(frozen=True, slots=True)
class Yield:
    """The numbers of one group. `group` is None where an attempt has no such thing, as no lot;
    `shift` tells when and by whom a shift was started, of groups that are shifts."""

    group: str | None
    shift: ShiftStarted | None
    units: int
    """Judged at least once."""
    judged: int
    """Attempts that judge."""
    first: int
    first_pass: int
    final_good: int
    no_change: int
    blocked: int
    aborted: int
    station_loss: int
    unnamed: int
    """Attempts that ended, of units that nobody could name: in no number but `station_loss`."""
    off_line: int
    """Attempts that ended, of golden units and the like: in no other number."""

    @property
    def first_pass_yield(self) -> Rate:
        return Rate(self.first_pass, self.first)

    @property
    def final_yield(self) -> Rate:
        return Rate(self.final_good, self.units)

    @property
    def retest_rate(self) -> Rate:
        return Rate(self.judged - self.units, self.units)


_NUMBERS = tuple(name for name in Yield.__dataclass_fields__ if name not in ("group", "shift"))


def yields(url: str, scope: Scope, by: By = By.ALL) -> Iterator[Yield]:
    """A row for each group that has attempts, in the groups' order. Where stations share a record
    and none is named, slots are `station/slot`: each has an A1. Raises as `queries`."""
    with reading(url) as connection:
        shifts = _shifts(connection) if by is By.SHIFT else {}
        of_many = by is By.SLOT and scope.station is None and has_many(connection)
        for row in connection.execute(question(scope, by, of_many=of_many)).mappings():
            numbers = _numbers(row)
            if any(numbers):
                group = row["group"]
                yield Yield(_shown(group, by), shifts.get(group), *numbers)


def yield_of(connection: sa.Connection, scope: Scope) -> Yield:
    """The one of all these attempts."""
    return Yield(
        By.ALL.value, None, *_numbers(connection.execute(question(scope)).mappings().one())
    )


def _numbers(row: Mapping[Any, Any]) -> list[int]:
    return [int(row[name] or 0) for name in _NUMBERS]


def question(scope: Scope, by: By = By.ALL, *, of_many: bool = False) -> sa.Select[Any]:
    """`group`, and the numbers of a Yield by their names; a sum of nothing is null. `of_many`:
    slots are told with their stations."""
    unit = per_unit(scope.conditions(), _group(by, of_many=of_many)).subquery()
    judged = unit.c.judged > 0
    final = sa.and_(judged, unit.c.last_good > sa.func.coalesce(unit.c.last_fail, ""))
    firsts = sa.func.sum(unit.c.first_pass + unit.c.first_fail)
    own = {"units": how_many(judged), "first": firsts, "final_good": how_many(final)}
    numbers = [own[name] if name in own else sa.func.sum(unit.c[name]) for name in _NUMBERS]
    columns = [number.label(name) for name, number in zip(_NUMBERS, numbers, strict=True)]
    if by is By.ALL:
        whole: sa.ColumnElement[Any] = sa.literal_column("'all'")
        return sa.select(whole.label("group"), *columns)
    return sa.select(unit.c.group, *columns).group_by(unit.c.group).order_by(unit.c.group)


def _group(by: By, *, of_many: bool) -> sa.ColumnElement[Any] | None:
    day = _opened.c.started_utc_us // sa.literal_column(str(_DAY_US), sa.BigInteger())
    recipe = _recipe.c.name + sa.literal_column("' '") + sa.cast(_recipe.c.revision, sa.Text)
    station_slot = _opened.c.station + sa.literal_column("'/'") + _opened.c.slot
    groups: dict[By, sa.ColumnElement[Any]] = {
        By.DAY: day,
        By.SLOT: station_slot if of_many else _opened.c.slot,
        By.OPERATOR: _opened.c.operator,
        By.LOT: _opened.c.lot,
        By.SHIFT: _opened.c.shift_id,
        By.RECIPE: recipe,
    }
    return groups.get(by)


def _shifts(connection: sa.Connection) -> dict[str, ShiftStarted]:
    """All: three a day are few."""
    table = schema.shift_started
    rows = connection.execute(sa.select(table.c.id, table.c.utc_us, table.c.operator))
    return {shift_id: ShiftStarted(utc_us, operator) for shift_id, utc_us, operator in rows}


def _shown(group: str | int | None, by: By) -> str | None:
    if by is By.DAY and group is not None:
        return (_EPOCH + timedelta(days=int(group))).isoformat()
    return None if group is None else str(group)


def per_unit(
    conditions: list[Condition], group: sa.ColumnElement[Any] | None = None
) -> sa.Select[Any]:
    """A row for each unit (in each group): how many of its attempts are what, and the ids of the
    last one that is good, of the last that is FAIL and of the last that ended at all."""
    counts = _opened.c.purpose.is_(None)
    # By a plain column SQLite would group in the order of its index: the whole record.
    unit_id = sa.func.coalesce(_closed.c.unit_id, _opened.c.unit_id)
    named = sa.and_(counts, unit_id.is_not(None))
    judged = sa.and_(named, _closed.c.outcome.in_(JUDGED))
    before = _judged_before(unit_id)

    def those(*outcomes: Outcome) -> Condition:
        return sa.and_(named, _closed.c.outcome.in_(outcomes))

    def last(condition: Condition) -> sa.ColumnElement[str]:
        return sa.func.max(sa.case((condition, _opened.c.id)))

    numbers = {
        "judged": judged,
        "first_pass": sa.and_(those(Outcome.PASS), ~before),
        "first_fail": sa.and_(those(Outcome.FAIL), ~before),
        "no_change": those(Outcome.NO_CHANGE),
        "blocked": those(Outcome.BLOCKED),
        "aborted": those(Outcome.ABORTED),
        "station_loss": sa.and_(counts, _closed.c.outcome.in_(STATION_LOSS)),
        "unnamed": sa.and_(counts, unit_id.is_(None)),
        "off_line": ~counts,
    }
    columns: list[sa.ColumnElement[Any]] = [
        *(how_many(condition).label(name) for name, condition in numbers.items()),
        last(those(*GOOD)).label("last_good"),
        last(those(Outcome.FAIL)).label("last_fail"),
        last(named).label("last"),
    ]
    groups = [] if group is None else [group.label("group")]
    joined = _opened.join(_closed, _closed.c.attempt_id == _opened.c.id)
    return (
        sa.select(*groups, *columns)
        .select_from(joined.outerjoin(_recipe, _recipe.c.sha256 == _opened.c.recipe_sha256))
        .where(*conditions)
        .group_by(*groups, unit_id)
    )


def how_many(condition: Condition) -> sa.ColumnElement[int]:
    return sa.func.sum(sa.case((condition, 1), else_=0))


def _judged_before(unit_id: sa.ColumnElement[Any]) -> Condition:
    """Whether an attempt before this one judged this unit at this package. Nearly all have no
    attempt before, which the index says alone."""
    opened, closed = _opened.alias("earlier_opened"), _closed.alias("earlier_closed")
    packages = (opened.c.package_sha256, _opened.c.package_sha256)
    same_package = sa.or_(packages[0] == packages[1], *(one.is_(None) for one in packages))
    return (
        sa.exists()
        .where(
            closed.c.unit_id == unit_id,
            closed.c.attempt_id < _opened.c.id,
            closed.c.outcome.in_(JUDGED),
            opened.c.id == closed.c.attempt_id,
            opened.c.purpose.is_(None),
            same_package,
        )
        .correlate(_opened, _closed)
    )
