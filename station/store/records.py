"""Attempts put together from their rows: both halves, contents, steps, images, names."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from station.model import (
    AttemptClosed,
    AttemptRecord,
    FileRef,
    Identifier,
    PackageRef,
    RecipeRef,
)
from station.store import schema
from station.store.rows import (
    closed_of,
    evidence_of,
    image_of,
    measurement_of,
    opened_of,
    step_of,
)

_CHUNK = 500
"""Attempts whose parts are fetched by one statement."""

Condition = sa.ColumnElement[bool]

Halves = tuple[Mapping[str, Any], Mapping[str, Any]]
"""An attempt's rows of `attempt_opened` and `attempt_closed`; all None in what is not there."""

_opened = schema.attempt_opened
_closed = schema.attempt_closed

# Questions that are put together once: that takes longer than their answers.
_BOTH = sa.select(
    *(column.label(f"opened_{column.name}") for column in _opened.c),
    *(column.label(f"closed_{column.name}") for column in _closed.c),
).select_from(_opened.outerjoin(_closed, _closed.c.attempt_id == _opened.c.id))


def _among(column: sa.ColumnElement[Any]) -> Condition:
    return column.in_(sa.bindparam("some", expanding=True))


def _parts(table: sa.Table, order: str) -> sa.Select[Any]:
    of = table.c.attempt_id
    return sa.select(table).where(_among(of)).order_by(of, table.c[order])


def _contents(table: sa.Table, key: str) -> sa.Select[Any]:
    return sa.select(table).where(_among(table.c[key])).order_by(*table.primary_key)


_STEPS = _parts(schema.step, "ordinal")
_IMAGES = _parts(schema.image_sent, "ordinal")
_READINGS = _parts(schema.reading, "name")
_EVIDENCE = _parts(schema.evidence, "kind")
_MEASUREMENTS = _parts(schema.measurement, "name")
_IDENTIFIERS = _parts(schema.unit_identifier, "id")
_RECIPES = _contents(schema.recipe, "sha256")
_PLANS = _contents(schema.plan, "sha256")
_FILES = _contents(schema.package_file, "package_sha256")


def newest(conditions: Iterable[Condition], limit: int | None) -> sa.Select[Any]:
    """Both halves, the last one begun first, whatever the clock said; columns as `opened_<name>`
    and `closed_<name>`."""
    return _BOTH.where(*conditions).order_by(_opened.c.id.desc()).limit(limit)


def halves(
    connection: sa.Connection, conditions: Iterable[Condition], limit: int | None
) -> list[Halves]:
    return list(map(_halves_of, connection.execute(newest(conditions, limit)).mappings()))


def _halves_of(row: sa.RowMapping) -> Halves:
    def half(prefix: str) -> dict[str, Any]:
        return {key[len(prefix) :]: value for key, value in row.items() if key.startswith(prefix)}

    return half("opened_"), half("closed_")


def records(
    connection: sa.Connection, conditions: Iterable[Condition], limit: int | None
) -> list[AttemptRecord]:
    """The attempts that meet every condition, newest last; with `limit` the newest so many."""
    rows = halves(connection, conditions, limit)
    rows.reverse()
    contents = _Contents(connection, [before for before, _ in rows])
    found: list[AttemptRecord] = []
    for start in range(0, len(rows), _CHUNK):
        found += _put_together(connection, rows[start : start + _CHUNK], contents)
    return found


def each_record(
    connection: sa.Connection, conditions: Iterable[Condition]
) -> Iterator[AttemptRecord]:
    """The same, however many there are: some hundred are in memory at a time."""
    with streamed(connection, _BOTH.where(*conditions).order_by(_opened.c.id)) as found:
        for some in found.mappings().partitions(_CHUNK):
            rows = [_halves_of(row) for row in some]
            contents = _Contents(connection, [before for before, _ in rows])
            yield from _put_together(connection, rows, contents)


def streamed(connection: sa.Connection, query: sa.Executable) -> sa.CursorResult[Any]:
    """The answer, fetched as it is asked for; to be closed, for it may be left halfway."""
    return connection.execute(query, execution_options={"yield_per": _CHUNK})


def _put_together(
    connection: sa.Connection, rows: Sequence[Halves], contents: "_Contents"
) -> list[AttemptRecord]:
    parts = _Parts(connection, [before["id"] for before, _ in rows])
    return [_record(before, after, contents, parts) for before, after in rows]


def _record(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    contents: "_Contents",
    parts: "_Parts",
) -> AttemptRecord:
    attempt_id = before["id"]
    closed: AttemptClosed | None = None
    if after["attempt_id"] is not None:
        closed = closed_of(
            after,
            readings={row["name"]: row["value"] for row in parts.readings.get(attempt_id, ())},
            evidence=tuple(map(evidence_of, parts.evidence.get(attempt_id, ()))),
            measurements=tuple(map(measurement_of, parts.measurements.get(attempt_id, ()))),
        )
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
        def rows(query: sa.Select[Any], wanted: str) -> Iterator[sa.RowMapping]:
            digests = sorted({row[wanted] for row in attempts} - {None})
            for start in range(0, len(digests), _CHUNK):
                some = digests[start : start + _CHUNK]
                yield from connection.execute(query, {"some": some}).mappings()

        self.recipes = {
            row["sha256"]: RecipeRef(row["name"], row["revision"], row["sha256"], row["text"])
            for row in rows(_RECIPES, "recipe_sha256")
        }
        self.plans = {row["sha256"]: row["json"] for row in rows(_PLANS, "plan_sha256")}
        files = rows(_FILES, "package_sha256")
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
        def by_attempt(query: sa.Select[Any]) -> dict[str, list[sa.RowMapping]]:
            rows = connection.execute(query, {"some": attempt_ids}).mappings()
            return {key: list(group) for key, group in groupby(rows, lambda r: r["attempt_id"])}

        self.steps = by_attempt(_STEPS)
        self.images = by_attempt(_IMAGES)
        self.readings = by_attempt(_READINGS)
        self.evidence = by_attempt(_EVIDENCE)
        self.measurements = by_attempt(_MEASUREMENTS)
        self.identifiers = by_attempt(_IDENTIFIERS)
