"""Which unit is this? Answered from the names it goes by, strongest first: IMEI, serial, chip.

Two sets of names are the same unit when the strongest kind that both have agrees, and their chip
serials do not say otherwise: one IMEI in two chips is two units, and a clash. So a module first
seen in EDL (chip serial only) and later by AT (IMEI too) stays one unit; one first seen by AT is
the same when it comes in EDL and tells its IMEI in the end; and a serial that a factory gave to
many modules never merges two IMEIs. Labels name a variant or a bag, not a unit; all-zero values
are what unprogrammed modules report.
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

_NAMES_OF = sa.select(
    schema.unit_identifier.c.kind,
    schema.unit_identifier.c.value,
    schema.unit_identifier.c.source,
).where(schema.unit_identifier.c.unit_id == sa.bindparam("unit_id"))

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
    known = _named_so(connection, names)
    if known:
        return known[0]
    unit_id = new_id()
    batch.insert(schema.unit, [{"id": unit_id, "station": station}])
    return unit_id


def _named_so(connection: sa.Connection, names: Names) -> list[str]:
    """The units that these names may be: by the strongest kind that finds any; of several those
    that agree in the serial, too, first, then the one seen last."""
    for kind in _STRENGTH:
        found = _units_named(connection, kind, names.get(kind, set()))
        known = {unit_id: _known_names(connection, unit_id) for unit_id in found}
        agreeing = [unit_id for unit_id in found if _agree(known[unit_id], names)]
        if agreeing:
            return sorted(agreeing, key=lambda i: not _share(known[i], names, IdKind.SERIAL))
    return []


def known_units(connection: sa.Connection, unit: Unit) -> list[str]:
    """The ids of this unit: usually one; none if never seen. A module seen by its chip alone and
    another time by its IMEI alone has two, which both are this module's."""
    names = _identifying((name.kind, name.value) for name in names_of(unit))
    found = (i for kind, values in names.items() for i in _units_named(connection, kind, values))
    return [i for i in dict.fromkeys(found) if _agree(_known_names(connection, i), names)]


def may_be(connection: sa.Connection, unit_id: str, identifiers: Iterable[Identifier]) -> bool:
    """Whether nothing in these names says that it is another unit."""
    names = _identifying((name.kind, name.value) for name in identifiers)
    return _agree(_known_names(connection, unit_id), names) is not False


def seen_before(
    connection: sa.Connection, unit_id: str, identifiers: Iterable[Identifier]
) -> str | None:
    """Whom this unit, known by its chip serial alone, turns out to be now that these names were
    read: the only one that was ever seen under the IMEI, if it was in no other chip. None: nobody,
    or nobody knows which."""
    imeis = _identifying((name.kind, name.value) for name in identifiers).get(IdKind.IMEI, set())
    own = _known_names(connection, unit_id)
    if not imeis or own.keys() != {IdKind.CHIP}:
        return None
    found = _units_named(connection, IdKind.IMEI, imeis)
    if len(found) != 1 or _other_chip(_known_names(connection, found[0]), own):
        return None
    return found[0]


def is_part_of(connection: sa.Connection, unit_id: str, others: Iterable[str]) -> bool:
    """Whether all that is known of it is its chip serial, and one of the others has that."""
    own = _known_names(connection, unit_id)
    return own.keys() == {IdKind.CHIP} and any(
        _share(own, _known_names(connection, other), IdKind.CHIP) for other in others
    )


def is_surely(connection: sa.Connection, unit_id: str, unit: Unit) -> bool:
    """Whether it was seen under no IMEI and no chip serial but this unit's, and under one of them.
    A serial number alone may be many modules'."""
    known = _known_names(connection, unit_id)
    names = _identifying((name.kind, name.value) for name in names_of(unit))
    own = [kind for kind in (IdKind.IMEI, IdKind.CHIP) if kind in known]
    return bool(own) and all(_share(known, names, kind) for kind in own)


def rivals(connection: sa.Connection, unit: Unit) -> list[tuple[IdKind, str]]:
    """Units that go by this unit's IMEI and have another chip serial, or by its chip serial and
    have another IMEI; each with the name that both have."""
    names = _identifying((name.kind, name.value) for name in names_of(unit))
    found: list[tuple[IdKind, str]] = []
    for kind, other in ((IdKind.IMEI, IdKind.CHIP), (IdKind.CHIP, IdKind.IMEI)):
        if kind not in names or other not in names:
            continue
        for unit_id in _units_named(connection, kind, names[kind]):
            known = _known_names(connection, unit_id)
            if other in known and not _share(known, names, other):
                found.append((kind, unit_id))
    return found


def record_names(
    batch: Batch,
    unit_id: str,
    identifiers: Iterable[Identifier],
    attempt_id: str,
    *,
    seen_utc_us: int,
) -> None:
    """Append the names which the unit was not yet seen under from that source."""
    rows = []
    seen = {tuple(row) for row in batch.connection.execute(_NAMES_OF, {"unit_id": unit_id})}
    for name in identifiers:
        key = (name.kind, words(name.value), words(name.source))
        taken_over = name.source == RECORD and key[:2] in {row[:2] for row in seen}
        if key in seen or taken_over:
            continue
        row = dict(zip(("kind", "value", "source"), key, strict=True))
        row |= {"id": new_id(), "unit_id": unit_id, "attempt_id": attempt_id}
        rows.append({**row, "seen_utc_us": seen_utc_us})
        seen.add(key)
    batch.insert(schema.unit_identifier, rows)


def _known_names(connection: sa.Connection, unit_id: str) -> Names:
    rows = connection.execute(_NAMES_OF, {"unit_id": unit_id})
    return _identifying((kind, value) for kind, value, _ in rows)


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
            return _share(known, names, kind) and not _other_chip(known, names)
    return None


def _share(known: Names, names: Names, kind: IdKind) -> bool:
    return not known.get(kind, set()).isdisjoint(names.get(kind, set()))


def _other_chip(known: Names, names: Names) -> bool:
    both = IdKind.CHIP in known and IdKind.CHIP in names
    return both and not _share(known, names, IdKind.CHIP)
