"""What is known against a unit: names that it shares with another module, and its quarantine.

A double clash is found when both IMEI and chip serial of a module are known; at the latest before
the first erase, where its boot ROM tells the chip serial. It is accepted once a line engineer has
released the very unit that has both names.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from station.model import Clash, ClashKind, IdKind, Unit
from station.store import schema
from station.store.queries import of_unit_ids
from station.store.reading import reading
from station.store.unit_events import RELEASED, UnitEvent, last_event, names, quarantine_of
from station.store.units import is_part_of, is_surely, known_units, rivals

_clash = schema.clash
_opened = schema.attempt_opened
_closed = schema.attempt_closed

_KINDS = {IdKind.IMEI: ClashKind.IMEI, IdKind.CHIP: ClashKind.CHIP}


@dataclass(frozen=True, slots=True)
class Against:
    """`quarantine`: why the unit may not be touched; of several units that it only may be, where
    all are held. `clashes`: with whom it shares a name and should not."""

    quarantine: UnitEvent | None = None
    clashes: tuple[Clash, ...] = ()


@dataclass(frozen=True, slots=True)
class ClashFound:
    """A clash on record: `unit_id` the unit of the attempt, `other_unit_id` the one that had the
    name before; `names` and `other_names` are all that they were ever seen under."""

    clash_id: str
    station: str
    utc_us: int
    attempt_id: str
    slot: str
    kind: str
    value: str
    unit_id: str | None
    other_unit_id: str | None
    names: tuple[str, ...]
    other_names: tuple[str, ...]
    detail: Mapping[str, str | int]


def known_against(url: str, unit: Unit, *, but_attempt: str | None = None) -> Against:
    """What is known against a module with these names. `but_attempt`: the one that runs, which
    does not count as where the other was seen."""
    with reading(url) as connection:
        own = known_units(connection, unit)
        quarantine = _quarantine(connection, own, unit)
        if any(_is_accepted(connection, unit_id, unit) for unit_id in own):
            return Against(quarantine)
        found = (
            _double(connection, kind, unit, unit_id, but_attempt)
            for kind, unit_id in rivals(connection, unit)
        )
        return Against(quarantine, tuple(found))


def _quarantine(connection: sa.Connection, own: Sequence[str], unit: Unit) -> UnitEvent | None:
    """One module may have two units on record: first seen by its chip alone, then by its IMEI."""
    held = {i: event for i in own if (event := quarantine_of(connection, i)) is not None}
    if not all(i in held or is_part_of(connection, i, held) for i in own):
        held = {i: event for i, event in held.items() if is_surely(connection, i, unit)}
    return next(iter(held.values()), None)


def _is_accepted(connection: sa.Connection, unit_id: str, unit: Unit) -> bool:
    """A person has looked at this pair of names and let it pass."""
    last = last_event(connection, unit_id)
    known = set(_names(connection, unit_id))
    pair = {f"imei {unit.imei}", f"chip {unit.chip_serial}"}
    return last is not None and last.kind == RELEASED and pair <= known


def _double(
    connection: sa.Connection, kind: IdKind, unit: Unit, other_id: str, but_attempt: str | None
) -> Clash:
    detail: dict[str, str | int] = {"other": ", ".join(_names(connection, other_id))}
    seen = [*of_unit_ids([other_id])]
    if but_attempt is not None:
        seen.append(_opened.c.id != but_attempt)
    query = sa.select(_opened.c.id, _opened.c.station, _opened.c.slot, _opened.c.started_utc_us)
    last = connection.execute(query.where(*seen).order_by(_opened.c.id.desc()).limit(1)).first()
    if last is not None:
        detail |= {"attempt_id": last.id, "station": last.station, "slot": last.slot}
        detail["utc_us"] = last.started_utc_us
    value = unit.imei if kind is IdKind.IMEI else unit.chip_serial
    return Clash(_KINDS[kind], value or "", other_id, detail)


def find_clashes(
    url: str,
    *,
    station: str | None = None,
    since_utc_us: int | None = None,
    until_utc_us: int | None = None,
    name: str | None = None,
    limit: int | None = None,
) -> list[ClashFound]:
    """The clashes that meet every condition, newest last; with `limit` the newest so many. `name`:
    the value that clashed. Raises as `station.store.queries`."""
    query = (
        sa.select(_clash, _opened.c.slot)
        .join(_opened, _opened.c.id == _clash.c.attempt_id)
        .order_by(_clash.c.id.desc())
        .limit(limit)
    )
    if station is not None:
        query = query.where(_clash.c.station == station)
    if since_utc_us is not None:
        query = query.where(_clash.c.utc_us >= since_utc_us)
    if until_utc_us is not None:
        query = query.where(_clash.c.utc_us < until_utc_us)
    if name is not None:
        query = query.where(_clash.c.value == name)
    with reading(url) as connection:
        rows = connection.execute(query).mappings().all()
        return [_found(connection, row) for row in reversed(rows)]


def _found(connection: sa.Connection, row: Mapping[Any, Any]) -> ClashFound:
    plain = ("station", "utc_us", "attempt_id", "slot", "kind", "value", "unit_id", "other_unit_id")
    return ClashFound(
        clash_id=row["id"],
        names=_names(connection, row["unit_id"]),
        other_names=_names(connection, row["other_unit_id"]),
        detail=json.loads(row["detail"]),
        **{name: row[name] for name in plain},
    )


def _names(connection: sa.Connection, unit_id: str | None) -> tuple[str, ...]:
    """`imei 864…`, `chip 1f0a2b3c`, each once, in the order in which they were seen."""
    found = () if unit_id is None else names(connection, unit_id)
    return tuple(f"{kind.value} {value}" for kind, value in found)
