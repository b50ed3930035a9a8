"""Names in a question that no attempt on this record has, and those that come near: a name that
was mistyped, or cut short, is answered as if nothing had ever been flashed with it."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

import sqlalchemy as sa

from station.store import schema
from station.store.reading import reading
from station.store.scope import packages_called, versions

_opened = schema.attempt_opened
_closed = schema.attempt_closed


class NeverHad(NamedTuple):
    """`kind`: package, firmware or slot. `there_are`: all that are, what is most like it first."""

    kind: str
    wanted: str
    there_are: tuple[str, ...]


def never_had(
    url: str, *, package: str | None = None, firmware: str | None = None, slot: str | None = None
) -> list[NeverHad]:
    """Which of these no attempt has: a package by name or digits of its sha256, a version before or
    after (`prefix*` allowed), a slot. Raises as `reading`."""
    with reading(url) as connection:
        return list(_never_had(connection, package, firmware, slot))


def _never_had(
    connection: sa.Connection, package: str | None, firmware: str | None, slot: str | None
) -> Iterator[NeverHad]:
    if package is not None and connection.scalar(packages_called(package).limit(1)) is None:
        names = connection.scalars(sa.select(schema.package.c.name).distinct())
        yield NeverHad("package", package, like(package, names.all()))
    if firmware is not None:
        known = _all_versions(connection)
        if not any(_is_meant(version, firmware) for version in known):
            yield NeverHad("firmware", firmware, like(firmware, known))
    if slot is not None and slot not in (slots := versions(connection, _opened.c.slot, "*")):
        yield NeverHad("slot", slot, like(slot, slots))


def _all_versions(connection: sa.Connection) -> list[str]:
    columns = (_opened.c.firmware_before, _closed.c.firmware_after)
    return list({version for column in columns for version in versions(connection, column, "*")})


def _is_meant(version: str, wanted: str) -> bool:
    return version.startswith(wanted[:-1]) if wanted.endswith("*") else version == wanted


def like(wanted: str, names: Sequence[str]) -> tuple[str, ...]:
    """The names, most like it first: those that begin so, in whatever case, before all others."""
    beginning = wanted.rstrip("*").lower()

    def unlikeness(name: str) -> tuple[bool, float, str]:
        lower = name.lower()
        ratio = SequenceMatcher(None, lower, beginning).ratio()
        return not lower.startswith(beginning), -ratio, name

    return tuple(sorted(names, key=unlikeness))
