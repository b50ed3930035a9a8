"""Questions to the record, on connections that cannot write. They never wait for the writer.

Each call opens the database, asks within one transaction (one moment of the record) and closes
it. A database that is missing, damaged or of another revision raises DatabaseError,
SchemaOutdated or SchemaTooNew.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from station.errors import DatabaseError, NoDatabase
from station.model import (
    AttemptClosed,
    AttemptRecord,
    FileRef,
    Identifier,
    IdKind,
    PackageRef,
    RecipeRef,
    Unit,
)
from station.store import schema
from station.store.database import database_errors, reader_engine, shown
from station.store.migrate import is_missing, require_current
from station.store.rows import closed_of, image_of, opened_of, step_of, unit_of
from station.store.units import identifies

_CHUNK = 500
"""Attempts whose parts are fetched by one statement."""

_UNIT_HISTORY = 50
"""Attempts looked back for what is known of a unit."""

_opened = schema.attempt_opened
_closed = schema.attempt_closed
_BOTH = _opened.outerjoin(_closed, _closed.c.attempt_id == _opened.c.id)

Condition = sa.ColumnElement[bool]


# --- the questions ----------------------------------------------------------------------------


def find_attempts(
    url: str,
    *,
    imei: str | None = None,
    serial: str | None = None,
    chip: str | None = None,
    firmware: str | None = None,
    package: str | None = None,
    slot: str | None = None,
    since_utc_us: int | None = None,
    limit: int | None = None,
) -> list[AttemptRecord]:
    """The attempts that meet every condition, newest last; with `limit` the newest so many.

    imei, serial, chip: all attempts of a unit ever seen under that name. firmware: reported
    before or after, exact or `prefix*`. package: name, or sha256 or at least 8 digits of it.
    """
    conditions = [
        *(_of_unit(IdKind.IMEI, imei) if imei else ()),
        *(_of_unit(IdKind.SERIAL, serial) if serial else ()),
        *(_of_unit(IdKind.CHIP, chip.lower()) if chip else ()),
        *(_with_firmware(firmware) if firmware else ()),
        *(_with_package(package) if package else ()),
        *((_opened.c.slot == slot,) if slot else ()),
        *((_opened.c.started_utc_us >= since_utc_us,) if since_utc_us is not None else ()),
    ]
    with _reading(url) as connection:
        return _records(connection, conditions, limit)


def unit_by_chip(url: str, chip_serial: str) -> Unit | None:
    """The unit last seen with this chip serial, each field as last known; None if never seen."""
    chip = chip_serial.lower()
    if not identifies(IdKind.CHIP, chip):
        return None
    with _reading(url) as connection:
        unit_ids: Sequence[str] = connection.scalars(
            _units_named(IdKind.CHIP, chip).distinct()
        ).all()
        newest = _halves(connection, _of_unit_ids(unit_ids), 1)
        if not newest:
            return None
        unit_id = next(
            (half["unit_id"] for half in newest[0] if half["unit_id"] in unit_ids), unit_ids[0]
        )
        history = _halves(connection, _of_unit_ids([unit_id]), _UNIT_HISTORY)
    known = Unit()
    for before, after in reversed(history):
        if before["unit_id"] == unit_id:
            known = _updated(known, unit_of(before, before["firmware_before"]))
        if after["unit_id"] == unit_id:
            known = _updated(known, unit_of(after, after["firmware_after"]))
    return replace(known, chip_serial=chip)


# --- conditions -------------------------------------------------------------------------------


def _of_unit(kind: IdKind, value: str) -> list[Condition]:
    return _of_unit_ids(_units_named(kind, value))


def _units_named(kind: IdKind, value: str) -> sa.Select[Any]:
    names = schema.unit_identifier
    return sa.select(names.c.unit_id).where(names.c.kind == kind, names.c.value == value)


def _of_unit_ids(units: Sequence[str] | sa.Select[Any]) -> list[Condition]:
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


def _any_of(*attempt_ids: sa.Select[Any]) -> list[Condition]:
    """A union, because no index serves an OR over two tables."""
    return [_opened.c.id.in_(sa.union(*attempt_ids))]


def _with_package(wanted: str) -> list[Condition]:
    same = [_opened.c.package_name == wanted]
    if re.fullmatch(r"[0-9a-fA-F]{8,64}", wanted):
        digits = sa.func.substr(_opened.c.package_sha256, 1, len(wanted))
        same.append(digits == wanted.lower())
    return [sa.or_(*same)]


# --- reading ----------------------------------------------------------------------------------


@contextmanager
def _reading(url: str) -> Iterator[sa.Connection]:
    place = shown(url)
    if is_missing(url):
        raise NoDatabase(f"there is no database at {place}; `station db upgrade` creates it")
    try:
        with database_errors(url), reader_engine(url).connect() as connection:
            require_current(connection, place)
            yield connection
    except (LookupError, ValueError) as error:
        raise DatabaseError(f"database {place}: a row holds an unknown value ({error})") from error


def _newest(conditions: Iterable[Condition], limit: int | None) -> sa.Select[Any]:
    """Both halves, newest first; columns as `opened_<name>` and `closed_<name>`."""
    return (
        sa.select(
            *(column.label(f"opened_{column.name}") for column in _opened.c),
            *(column.label(f"closed_{column.name}") for column in _closed.c),
        )
        .select_from(_BOTH)
        .where(*conditions)
        .order_by(_opened.c.started_utc_us.desc(), _opened.c.id.desc())
        .limit(limit)
    )


Halves = tuple[Mapping[str, Any], Mapping[str, Any]]


def _halves(
    connection: sa.Connection, conditions: Iterable[Condition], limit: int | None
) -> list[Halves]:
    def half(row: sa.RowMapping, prefix: str) -> dict[str, Any]:
        return {key[len(prefix) :]: value for key, value in row.items() if key.startswith(prefix)}

    rows = connection.execute(_newest(conditions, limit)).mappings()
    return [(half(row, "opened_"), half(row, "closed_")) for row in rows]


def _updated(known: Unit, seen: Unit) -> Unit:
    fields = {name: getattr(seen, name) for name in Unit.__dataclass_fields__}
    return replace(known, **{name: value for name, value in fields.items() if value is not None})


def _records(
    connection: sa.Connection, conditions: Iterable[Condition], limit: int | None
) -> list[AttemptRecord]:
    halves = _halves(connection, conditions, limit)
    halves.reverse()
    contents = _Contents(connection, [before for before, _ in halves])
    found: list[AttemptRecord] = []
    for start in range(0, len(halves), _CHUNK):
        chunk = halves[start : start + _CHUNK]
        parts = _Parts(connection, [before["id"] for before, _ in chunk])
        found += [_record(before, after, contents, parts) for before, after in chunk]
    return found


def _record(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    contents: "_Contents",
    parts: "_Parts",
) -> AttemptRecord:
    attempt_id = before["id"]
    closed: AttemptClosed | None = None
    if after["attempt_id"] is not None:
        readings = {row["name"]: row["value"] for row in parts.readings.get(attempt_id, ())}
        closed = closed_of(after, readings)
    names = parts.identifiers.get(attempt_id, ())
    return AttemptRecord(
        opened=opened_of(
            before,
            identifiers=tuple(Identifier(n["kind"], n["value"], n["source"]) for n in names),
            recipe=contents.recipes.get(before["recipe_sha256"]),
            package=contents.package(before),
            plan_json=contents.plans.get(before["plan_sha256"]),
        ),
        closed=closed,
        steps=tuple(map(step_of, parts.steps.get(attempt_id, ()))),
        images=tuple(map(image_of, parts.images.get(attempt_id, ()))),
    )


class _Contents:
    """Recipes, plans and packages of these attempts, each digest read once."""

    def __init__(self, connection: sa.Connection, attempts: Sequence[Mapping[str, Any]]) -> None:
        def rows(table: sa.Table, key: str, wanted: str) -> Iterator[sa.RowMapping]:
            digests = sorted({row[wanted] for row in attempts} - {None})
            for start in range(0, len(digests), _CHUNK):
                some = digests[start : start + _CHUNK]
                query = sa.select(table).where(table.c[key].in_(some)).order_by(*table.primary_key)
                yield from connection.execute(query).mappings()

        self.recipes = {
            row["sha256"]: RecipeRef(row["name"], row["revision"], row["sha256"], row["text"])
            for row in rows(schema.recipe, "sha256", "recipe_sha256")
        }
        self.plans = {
            row["sha256"]: row["json"] for row in rows(schema.plan, "sha256", "plan_sha256")
        }
        files = rows(schema.package_file, "package_sha256", "package_sha256")
        self.files = {
            digest: tuple(FileRef(f["path"], f["sha256"], f["length_bytes"]) for f in group)
            for digest, group in groupby(files, key=lambda row: row["package_sha256"])
        }

    def package(self, attempt: Mapping[str, Any]) -> PackageRef | None:
        digest = attempt["package_sha256"]
        if digest is None:
            return None
        return PackageRef(attempt["package_name"], digest, self.files.get(digest, ()))


class _Parts:
    """Rows that belong to these attempts, by attempt, in order."""

    def __init__(self, connection: sa.Connection, attempt_ids: Sequence[str]) -> None:
        def by_attempt(table: sa.Table, order: str) -> dict[str, list[sa.RowMapping]]:
            query = (
                sa.select(table)
                .where(table.c.attempt_id.in_(attempt_ids))
                .order_by(table.c.attempt_id, table.c[order])
            )
            rows = connection.execute(query).mappings()
            return {key: list(group) for key, group in groupby(rows, lambda r: r["attempt_id"])}

        self.steps = by_attempt(schema.step, "ordinal")
        self.images = by_attempt(schema.image_sent, "ordinal")
        self.readings = by_attempt(schema.reading, "name")
        self.identifiers = by_attempt(schema.unit_identifier, "id")
