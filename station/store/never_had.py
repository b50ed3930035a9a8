"""Names in a question that this record never had, and those that come near: a name that was
mistyped, or cut short, is answered as if nothing had ever been done with it.

Found by indexes: a record of ten million attempts has few slots, people, codes and packages.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

import sqlalchemy as sa

from station.model import IdKind
from station.store import schema
from station.store.queries import units_asked
from station.store.reading import reading
from station.store.scope import is_meant, packages_called, shifts, values

_opened = schema.attempt_opened
_closed = schema.attempt_closed
_code = _closed.c.failure_code


class NeverHad(NamedTuple):
    """`kind`: package, firmware, slot, station, operator, lot, code, shift; of a unit name, imei,
    serial, chip. `there_are`: all that are, what is most like it first; none of units and shifts,
    of which there are many."""

    kind: str
    wanted: str
    there_are: tuple[str, ...]


def never_had(url: str, **asked: str | None) -> list[NeverHad]:
    """Which of these names, each by its kind, are not on record: a package by name or digits of its
    sha256, a version before or after (`prefix*` allowed), a person who neither flashed nor was
    registered, a lot that was never armed, a code of a failure, a shift as `Scope`. Raises as
    `reading`."""
    wanted = {kind: asked[kind] for kind in KINDS if asked.get(kind) is not None}
    with reading(url) as connection:
        return [
            NeverHad(kind, name, _like(connection, kind, name))
            for kind, name in wanted.items()
            if name is not None and not _is_there(connection, kind, name)
        ]


def _is_there(connection: sa.Connection, kind: str, wanted: str) -> bool:
    if kind == "firmware":
        return any(is_meant(version, wanted) for version in _versions(connection))
    return any(connection.scalar(one.limit(1)) is not None for one in there(kind, wanted))


def there(kind: str, wanted: str) -> Sequence[sa.Select[Any]]:
    """Where a name of this kind is looked for; one place is enough."""
    match kind:
        case "package":
            return [packages_called(wanted)]
        case "code":
            return [_with(_code, wanted.upper())]
        case "slot" | "station" | "operator" | "lot":
            return [_with(column, wanted) for column in _COLUMNS[kind]]
        case "shift":
            return [shifts(wanted)]
        case _:
            return [units_asked(kind, wanted)]


def _with(column: sa.Column[Any], wanted: str) -> sa.Select[Any]:
    return sa.select(sa.literal(1)).where(column == wanted)


_COLUMNS = {
    "slot": [_opened.c.slot],
    "station": [schema.chain.c.station],
    "operator": [_opened.c.operator, schema.operator.c.name],
    "lot": [_opened.c.lot, schema.lot.c.name],
}


# --- what there is ----------------------------------------------------------------------------


def _versions(connection: sa.Connection) -> set[str]:
    columns = (_opened.c.firmware_before, _closed.c.firmware_after)
    return {version for column in columns for version in values(connection, column)}


def _few(column: sa.Column[Any]) -> Callable[[sa.Connection], Iterable[str]]:
    """Of a table that has few rows."""
    return lambda connection: connection.scalars(sa.select(column).distinct())


_NAMES: Mapping[str, Callable[[sa.Connection], Iterable[str]]] = {
    "package": _few(schema.package.c.name),
    "firmware": _versions,
    "slot": lambda connection: values(connection, _opened.c.slot),
    "station": lambda connection: values(connection, schema.chain.c.station),
    "operator": lambda connection: {
        *values(connection, _opened.c.operator),
        *_few(schema.operator.c.name)(connection),
    },
    "lot": _few(schema.lot.c.name),
    "code": lambda connection: values(connection, _code, _code.is_not(None)),
}
KINDS = (*_NAMES, "shift", "name", *(kind.value for kind in IdKind))
"""In this order they are told."""


def _like(connection: sa.Connection, kind: str, wanted: str) -> tuple[str, ...]:
    """Of units and shifts none."""
    return like(wanted, list(_NAMES[kind](connection))) if kind in _NAMES else ()


def like(wanted: str, names: Sequence[str]) -> tuple[str, ...]:
    """The names, most like it first: those that begin so, in whatever case, before all others."""
    beginning = wanted.rstrip("*").lower()

    def unlikeness(name: str) -> tuple[bool, float, str]:
        lower = name.lower()
        ratio = SequenceMatcher(None, lower, beginning).ratio()
        return not lower.startswith(beginning), -ratio, name

    return tuple(sorted(names, key=unlikeness))
