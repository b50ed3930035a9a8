"""Which unit is this? Answered from the names it goes by, strongest first: IMEI, serial, chip.

Two sets of names are the same unit when the strongest kind that both have agrees. So a module
first seen in EDL (chip serial only) and later by AT (IMEI too) stays one unit, and a serial
that a factory gave to many modules never merges two IMEIs. Labels name a variant or a bag, not
a unit; all-zero values are what unprogrammed modules report.
"""

from collections.abc import Iterable

import sqlalchemy as sa

from station.model import Identifier, IdKind, Unit
from station.store import schema
from station.store.batch import Batch
from station.store.ids import new_id
from station.store.schema import words

_STRENGTH = (IdKind.IMEI, IdKind.SERIAL, IdKind.CHIP)

Names = dict[IdKind, set[str]]


RECORD = "record"
"""The source of a name that is taken over, not read; recorded only if the name is new."""


def names_of(unit: Unit) -> tuple[Identifier, ...]:
    """The unit's own fields as identifiers."""
    fields = (
        (IdKind.IMEI, unit.imei),
        (IdKind.SERIAL, unit.serial),
        (IdKind.CHIP, unit.chip_serial),
    )
    return tuple(Identifier(kind, value, RECORD) for kind, value in fields if value)


def identifies(kind: IdKind, value: str) -> bool:
    """Whether this name is one unit's own."""
    return kind in _STRENGTH and bool(value.strip("0 "))


def resolve(batch: Batch, identifiers: Iterable[Identifier], station: str) -> str | None:
    """The id of the unit with these names: known, or new here; None if nothing identifies it."""
    connection = batch.connection
    names = _identifying((name.kind, name.value) for name in identifiers)
    if not names:
        return None
    for kind in _STRENGTH:
        for unit_id in _units_named(connection, kind, names.get(kind, set())):
            if _agree(_known_names(connection, unit_id), names):
                return unit_id
    unit_id = new_id()
    batch.insert(schema.unit, [{"id": unit_id, "station": station}])
    return unit_id


def known_units(connection: sa.Connection, unit: Unit) -> list[str]:
    """The ids of this unit: usually one; none if never seen. A module seen by its chip alone and
    another time by its IMEI alone has two until both are read together."""
    names = _identifying((name.kind, name.value) for name in names_of(unit))
    found = (i for kind, values in names.items() for i in _units_named(connection, kind, values))
    return [i for i in dict.fromkeys(found) if _agree(_known_names(connection, i), names)]


def may_be(connection: sa.Connection, unit_id: str, identifiers: Iterable[Identifier]) -> bool:
    """Whether nothing in these names says that it is another unit."""
    names = _identifying((name.kind, name.value) for name in identifiers)
    return _agree(_known_names(connection, unit_id), names) is not False


def record_names(
    batch: Batch,
    unit_id: str,
    identifiers: Iterable[Identifier],
    attempt_id: str,
    *,
    seen_utc_us: int,
) -> None:
    """Append the names which the unit was not yet seen under from that source."""
    table = schema.unit_identifier
    rows = batch.connection.execute(
        sa.select(table.c.kind, table.c.value, table.c.source).where(table.c.unit_id == unit_id)
    )
    seen = {tuple(row) for row in rows}
    for name in identifiers:
        key = (name.kind, words(name.value), words(name.source))
        taken_over = name.source == RECORD and key[:2] in {row[:2] for row in seen}
        if key in seen or taken_over:
            continue
        row = dict(zip(("kind", "value", "source"), key, strict=True))
        row |= {"id": new_id(), "unit_id": unit_id, "attempt_id": attempt_id}
        batch.insert(table, [{**row, "seen_utc_us": seen_utc_us}])
        seen.add(key)


def _known_names(connection: sa.Connection, unit_id: str) -> Names:
    table = schema.unit_identifier
    return _identifying(
        (kind, value)
        for kind, value in connection.execute(
            sa.select(table.c.kind, table.c.value).where(table.c.unit_id == unit_id)
        )
    )


def _identifying(names: Iterable[tuple[IdKind, str]]) -> Names:
    found: Names = {}
    for kind, value in names:
        if identifies(kind, value):
            found.setdefault(kind, set()).add(words(value))
    return found


def _units_named(connection: sa.Connection, kind: IdKind, values: set[str]) -> list[str]:
    """Units ever seen under one of these names, the one seen last first."""
    table = schema.unit_identifier
    rows = connection.scalars(
        sa.select(table.c.unit_id)
        .where(table.c.kind == kind, table.c.value.in_(values))
        .order_by(table.c.id.desc())
    )
    return list(dict.fromkeys(rows))


def _agree(known: Names, names: Names) -> bool | None:
    """Whether the strongest kind that both have agrees; None if they have none in common."""
    for kind in _STRENGTH:
        if kind in known and kind in names:
            return not known[kind].isdisjoint(names[kind])
    return None
