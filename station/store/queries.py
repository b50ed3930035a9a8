"""Questions about units and attempts, on connections that cannot write. They never wait for the
writer.

Each call opens the database, asks within one transaction (one moment of the record) and closes
it. A database that is missing, damaged or of another revision raises NoDatabase, HistoryTrouble,
SchemaOutdated or SchemaTooNew.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypedDict, Unpack

import sqlalchemy as sa

from station.model import AttemptRecord, IdKind, Outcome, Unit
from station.store import schema
from station.store.reading import reading
from station.store.records import Condition, each_record, halves, records
from station.store.rows import unit_of
from station.store.scope import Scope, of_package
from station.store.units import identifies, known_units

_UNIT_HISTORY = 50
"""Attempts looked back for what is known of a unit."""

_opened = schema.attempt_opened
_closed = schema.attempt_closed
_end = schema.attempt_closed.alias("attempt_end")


# --- the questions ----------------------------------------------------------------------------


class Wanted(TypedDict, total=False):
    """Conditions on attempts; all that are given must hold.

    imei, serial, chip: all attempts of a unit ever seen under that name; name: under any kind of
    name, labels too. firmware: reported before or after, exact or `prefix*`. package: name, or
    sha256 or at least 8 digits of it. code: of the failure. Those of time, place and people are
    as in `Scope`.
    """

    name: str | None
    imei: str | None
    serial: str | None
    chip: str | None
    firmware: str | None
    package: str | None
    outcome: Outcome | None
    code: str | None
    since_utc_us: int | None
    until_utc_us: int | None
    station: str | None
    slot: str | None
    operator: str | None
    lot: str | None
    shift: str | None
    campaign_id: str | None


def find_attempts(
    url: str, *, limit: int | None = None, **wanted: Unpack[Wanted]
) -> list[AttemptRecord]:
    """The attempts that meet every condition, newest last; with `limit` the newest so many."""
    with reading(url) as connection:
        return records(connection, conditions(**wanted), limit)


def each_attempt(url: str, **wanted: Unpack[Wanted]) -> Iterator[AttemptRecord]:
    """The same, one after the other, however many there are. The record is open meanwhile."""
    with reading(url) as connection:
        yield from each_record(connection, conditions(**wanted))


def conditions(**wanted: Unpack[Wanted]) -> list[Condition]:
    """What is wanted, in the database's words: on rows of `attempt_opened`."""
    scope = {key: wanted[key] for key in Scope.__dataclass_fields__ if key in wanted}  # type: ignore[literal-required]  # Wanted has all of them
    return [
        *(of_unit_ids(_units_called(name)) if (name := wanted.get("name")) else ()),
        *(_of_unit(IdKind.IMEI, imei) if (imei := wanted.get("imei")) else ()),
        *(_of_unit(IdKind.SERIAL, serial) if (serial := wanted.get("serial")) else ()),
        *(_of_unit(IdKind.CHIP, chip.lower()) if (chip := wanted.get("chip")) else ()),
        *(_with_firmware(firmware) if (firmware := wanted.get("firmware")) else ()),
        *(of_package(package) if (package := wanted.get("package")) else ()),
        *((_ended(outcome),) if (outcome := wanted.get("outcome")) else ()),
        *((_failed(code.upper()),) if (code := wanted.get("code")) else ()),
        *Scope(**scope).conditions(),
    ]


def names_of_units(
    url: str, name: str | None = None, **by_kind: str | None
) -> list[tuple[str, ...]]:
    """Of each unit ever seen under these names, all its names: `imei 864…`, `label PO-77/12`, each
    once, as they were seen. `by_kind`: the name by its IdKind."""
    asked = {"name": name} | by_kind
    queries = [units_asked(kind, value) for kind, value in asked.items() if value]
    if not queries:
        return []
    names = schema.unit_identifier
    wanted = sa.select(names.c.unit_id, names.c.kind, names.c.value).order_by(names.c.id)
    for query in queries:
        wanted = wanted.where(names.c.unit_id.in_(query))
    found: dict[str, dict[str, None]] = {}
    with reading(url) as connection:
        for unit_id, kind, value in connection.execute(wanted):
            found.setdefault(unit_id, {})[f"{kind.value} {value}"] = None
    return [tuple(known) for known in found.values()]


def attempts_called(url: str, prefix: str, limit: int) -> list[AttemptRecord]:
    """The attempts whose id begins so, newest last; at most the newest so many."""
    same = sa.func.substr(_opened.c.id, 1, len(prefix)) == prefix
    with reading(url) as connection:
        return records(connection, [same], limit)


def unit_by_chip(url: str, chip_serial: str) -> Unit | None:
    """The unit last seen with this chip serial, each field as last known; None if never seen."""
    chip = chip_serial.lower()
    if not identifies(IdKind.CHIP, chip):
        return None
    with reading(url) as connection:
        unit_ids: Sequence[str] = connection.scalars(
            units_named(IdKind.CHIP, chip).distinct()
        ).all()
        newest = halves(connection, of_unit_ids(unit_ids), 1)
        if not newest:
            return None
        unit_id = next(
            (half["unit_id"] for half in reversed(newest[0]) if half["unit_id"] in unit_ids),
            unit_ids[0],
        )
        history = halves(connection, of_unit_ids([unit_id]), _UNIT_HISTORY)
    known = Unit()
    for before, after in reversed(history):
        if before["unit_id"] == unit_id:
            known = _updated(known, unit_of(before, before["firmware_before"]))
        if after["unit_id"] == unit_id:
            known = _updated(known, unit_of(after, after["firmware_after"]))
    return replace(known, chip_serial=chip)


def last_verdict(
    url: str, unit: Unit, *, outcome: Outcome | None = None, before_attempt: str | None = None
) -> AttemptRecord | None:
    """The unit's newest closed attempt, or the newest with this outcome; None if there is none.

    The unit is whoever its IMEI, serial or chip serial name, by the rule of `station.store.units`.
    `before_attempt`: the one that runs, or just ended; it does not count.
    """
    ended = _closed.c.outcome == outcome if outcome else _closed.c.outcome.is_not(None)
    with reading(url) as connection:
        unit_ids = known_units(connection, unit)
        if not unit_ids:
            return None
        conditions = [*of_unit_ids(unit_ids), ended]
        if before_attempt is not None:
            conditions.append(_opened.c.id != before_attempt)
        return next(iter(records(connection, conditions, 1)), None)


def latest_verdicts(url: str, station: str, limit: int) -> list[AttemptRecord]:
    """The station's newest verdicts on a unit or on itself, newest last."""
    conditions = [
        _opened.c.station == station,
        _closed.c.outcome.in_((Outcome.PASS, Outcome.FAIL, Outcome.ERROR)),
    ]
    with reading(url) as connection:
        return records(connection, conditions, limit)


def latest_in_slots(
    url: str, station: str, slots: Iterable[str], limit: int
) -> dict[str, list[AttemptRecord]]:
    """Of each of these slots the station's newest verdicts, newest last; at most so many."""
    outcomes = (Outcome.PASS, Outcome.NO_CHANGE, Outcome.FAIL, Outcome.ERROR)
    told = (_opened.c.station == station, _closed.c.outcome.in_(outcomes))
    with reading(url) as connection:
        return {s: records(connection, [*told, _opened.c.slot == s], limit) for s in slots}


# --- conditions -------------------------------------------------------------------------------


def _of_unit(kind: IdKind, value: str) -> list[Condition]:
    return of_unit_ids(units_named(kind, value))


def units_named(kind: IdKind, value: str) -> sa.Select[Any]:
    names = schema.unit_identifier
    return sa.select(names.c.unit_id).where(names.c.kind == kind, names.c.value == value)


def units_asked(kind: str, value: str) -> sa.Select[Any]:
    """The units ever seen under this. `kind`: the value of an IdKind, or `name` for any of them."""
    if kind == "name":
        return _units_called(value)
    return units_named(IdKind(kind), _as_kept(IdKind(kind), value))


def _units_called(name: str) -> sa.Select[Any]:
    """By whatever kind of name, exactly; chip serials are lower case."""
    names = schema.unit_identifier
    by_kind = (
        sa.and_(names.c.kind == kind, names.c.value == _as_kept(kind, name)) for kind in IdKind
    )
    return sa.select(names.c.unit_id).where(sa.or_(*by_kind))


def _as_kept(kind: IdKind, name: str) -> str:
    return name.lower() if kind is IdKind.CHIP else name


def of_unit_ids(units: Sequence[str] | sa.Select[Any]) -> list[Condition]:
    """Attempts that began or ended with one of these units, or in which it was first named."""
    names = schema.unit_identifier
    return _any_of(
        sa.select(_opened.c.id).where(_opened.c.unit_id.in_(units)),
        sa.select(_closed.c.attempt_id).where(_closed.c.unit_id.in_(units)),
        sa.select(names.c.attempt_id).where(names.c.unit_id.in_(units)),
    )


def _with_firmware(wanted: str) -> list[Condition]:
    def same(column: sa.Column[Any]) -> Condition:
        if wanted.endswith("*"):
            return sa.func.substr(column, 1, len(wanted) - 1) == wanted[:-1]
        return column == wanted

    return _any_of(
        sa.select(_opened.c.id).where(same(_opened.c.firmware_before)),
        sa.select(_closed.c.attempt_id).where(same(_closed.c.firmware_after)),
    )


def _ended(outcome: Outcome) -> Condition:
    same = (_end.c.attempt_id == _opened.c.id, _end.c.outcome == outcome)
    return sa.exists().where(*same).correlate(_opened)


def _failed(code: str) -> Condition:
    return _opened.c.id.in_(sa.select(_end.c.attempt_id).where(_end.c.failure_code == code))


def _any_of(*attempt_ids: sa.Select[Any]) -> list[Condition]:
    """A union, because no index serves an OR over two tables."""
    return [_opened.c.id.in_(sa.union(*attempt_ids))]


def _updated(known: Unit, seen: Unit) -> Unit:
    fields = {name: getattr(seen, name) for name in Unit.__dataclass_fields__}
    return replace(known, **{name: value for name, value in fields.items() if value is not None})
