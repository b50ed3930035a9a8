"""Which units have this package or version, which ever had it.

A flash is *good* if it ended PASS or NO_CHANGE; a unit has what its latest good one left. NO_CHANGE
tells a version and writes nothing: by package only a PASS counts, and what it wrote is still there
when later attempts found nothing to do. Golden units have it, too. Attempts with a package that
ended otherwise: `queries.find_attempts`.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from station.model import Outcome
from station.store import schema
from station.store.reading import reading
from station.store.records import Condition, streamed
from station.store.scope import of_package, packages_called, versions
from station.store.scouts import scouted
from station.store.yields import GOOD

_opened = schema.attempt_opened
_closed = schema.attempt_closed
_later = schema.attempt_closed.alias("later_closed")
_later_opened = schema.attempt_opened.alias("later_opened")


class Flashed(NamedTuple):
    """A unit, its last good flash with what was asked for, and whether that is its latest of all.

    The names are those that were read in this attempt; `unit_id` finds the others. A tuple, because
    there may be millions.
    """

    unit_id: str | None
    imei: str | None
    serial: str | None
    chip_serial: str | None
    attempt_id: str
    ended_utc_us: int
    station: str
    slot: str
    operator: str
    lot: str | None
    outcome: Outcome
    package: str | None
    package_sha256: str | None
    firmware: str | None
    is_latest: bool


def recall(
    url: str,
    *,
    package: str | None = None,
    firmware: str | None = None,
    station: str | None = None,
) -> Generator[Flashed, None, None]:
    """Each unit whose latest good flash has this package (name, sha256, at least 8 digits of it)
    and left this firmware (`prefix*` allowed); at least one of them. `station`: where that flash
    was made. Raises as `queries`."""
    with reading(url) as connection:
        for drawer in _drawers(connection, package, firmware, station):
            question = recall_question(drawer, _good(package))
            with scouted(url, question), streamed(connection, question) as rows:
                yield from (Flashed._make((*row, True)) for row in rows)


def recalled(
    connection: sa.Connection, *, package: str | None = None, firmware: str | None = None
) -> Condition:
    """That an attempt is the flash of one of the units that `recall` tells."""
    good = _good(package)
    ids = [
        recall_question(drawer, good).with_only_columns(_closed.c.attempt_id).correlate(None)
        for drawer in _drawers(connection, package, firmware)
    ]
    return sa.or_(sa.false(), *(_opened.c.id.in_(one) for one in ids))


def ever(
    url: str,
    *,
    package: str | None = None,
    firmware: str | None = None,
    station: str | None = None,
) -> Generator[Flashed, None, None]:
    """Each unit that ever had a good flash with it, once, by the last of them; as `recall`. With
    `station` the last of those that were made there."""
    with reading(url) as connection:
        same = _same(connection, package, firmware, station)
        for drawer in _drawers(connection, package, firmware, station):
            question = ever_question(drawer, same, _good(package))
            with scouted(url, question), streamed(connection, question) as rows:
                yield from (Flashed._make((*row[:-1], bool(row[-1]))) for row in rows)


def _good(package: str | None) -> Sequence[Outcome]:
    return GOOD if package is None else (Outcome.PASS,)


def recall_question(drawer: Iterable[Condition], good: Sequence[Outcome] = GOOD) -> sa.Select[Any]:
    return _good_flashes(drawer, good).where(~_good_later(good))


def ever_question(
    drawer: Iterable[Condition], same: Iterable[Condition], good: Sequence[Outcome] = GOOD
) -> sa.Select[Any]:
    """`same`: conditions on the two halves of a later attempt, that it is another of these."""
    is_latest = (~_good_later(good)).label("is_latest")
    flashes = _good_flashes(drawer, good)
    return flashes.add_columns(is_latest).where(~_good_later(good, *same))


def _good_flashes(drawer: Iterable[Condition], good: Sequence[Outcome]) -> sa.Select[Any]:
    """The columns of a Flashed, by place. In the order of an index, so that nothing waits to be
    sorted, and of an opened attempt only what that index holds: its rows are the longest there are.
    Who was flashed well has told all its names by then."""
    return (
        sa.select(
            *(_closed.c[name] for name in ("unit_id", "imei", "serial", "chip_serial")),
            _closed.c.attempt_id,
            _closed.c.ended_utc_us,
            *(_opened.c[name] for name in ("station", "slot", "operator", "lot")),
            _closed.c.outcome,
            _opened.c.package_name.label("package"),
            _opened.c.package_sha256,
            _closed.c.firmware_after.label("firmware"),
        )
        .join_from(_opened, _closed, _closed.c.attempt_id == _opened.c.id)
        .where(_closed.c.outcome.in_(good), *drawer)
    )


def _good_later(good: Sequence[Outcome], *same: Condition) -> Condition:
    """Whether the unit had a good flash after this one, of those that are the same."""
    later = sa.exists(sa.literal(1)).where(
        _later.c.unit_id == _closed.c.unit_id,
        _later.c.outcome.in_(good),
        _later.c.attempt_id > _closed.c.attempt_id,
        *((_later_opened.c.id == _later.c.attempt_id, *same) if same else ()),
    )
    return later.correlate(_closed)


# --- where to look ----------------------------------------------------------------------------


def _drawers(
    connection: sa.Connection, package: str | None, firmware: str | None, station: str | None = None
) -> Iterator[list[Condition]]:
    """Conditions that part the wanted attempts among them, an index for each: by package and name
    where there is a package, else by version."""
    there = _there(station, _opened)
    if package is None:
        for version in versions(connection, _closed.c.firmware_after, firmware or ""):
            yield [_closed.c.firmware_after == version, *there]
        return
    left = [*_left(connection, firmware, _closed), *there]
    for sha256 in connection.scalars(packages_called(package)).all():
        yield [_opened.c.package_sha256 == sha256, *of_package(package), *left]


def _same(
    connection: sa.Connection, package: str | None, firmware: str | None, station: str | None
) -> list[Condition]:
    return [
        *(of_package(package, _later_opened) if package else ()),
        *_left(connection, firmware, _later),
        *_there(station, _later_opened),
    ]


def _there(station: str | None, opened: sa.FromClause) -> list[Condition]:
    return [] if station is None else [opened.c.station == station]


def _left(
    connection: sa.Connection, firmware: str | None, closed: sa.FromClause
) -> list[Condition]:
    if firmware is None:
        return []
    return [closed.c.firmware_after.in_(versions(connection, _closed.c.firmware_after, firmware))]
