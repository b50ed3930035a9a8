"""Which attempts a question is about: when, where, by whom, for which lot, in which shift."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from station.store import schema
from station.store.records import Condition

LAST_SHIFT = "last"
"""As `Scope.shift`: the station's that was started last; of all, where none is named."""

_SHIFT = re.compile(r"[0-9A-Fa-f-]{8,36}")
_opened = schema.attempt_opened
_package = schema.package


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """All that is given must hold; an empty one is the whole record.

    `since_utc_us` is within, `until_utc_us` is not; both are about when an attempt began. `shift`:
    its id, or the beginning of it, or LAST_SHIFT.
    """

    since_utc_us: int | None = None
    until_utc_us: int | None = None
    station: str | None = None
    slot: str | None = None
    operator: str | None = None
    lot: str | None = None
    shift: str | None = None
    campaign_id: str | None = None

    def conditions(self) -> list[Condition]:
        """On rows of `attempt_opened`."""
        return list(self._conditions())

    def _conditions(self) -> Iterator[Condition]:
        if self.since_utc_us is not None:
            yield _opened.c.started_utc_us >= self.since_utc_us
        if self.until_utc_us is not None:
            yield _opened.c.started_utc_us < self.until_utc_us
        for name in ("station", "slot", "operator", "lot", "campaign_id"):
            if (wanted := getattr(self, name)) is not None:
                yield _opened.c[name] == wanted
        if self.shift is not None:
            yield _opened.c.shift_id.in_(shifts(self.shift, self.station))


def is_shift(text: str) -> bool:
    """Whether it can be asked for: LAST_SHIFT, an id, or its first 8 characters at least."""
    return text == LAST_SHIFT or _SHIFT.fullmatch(text) is not None


def shifts(wanted: str, station: str | None = None) -> sa.Select[Any]:
    """The ids that are meant; as `Scope.shift`."""
    key, of = schema.shift_started.c.id, schema.shift_started.c.station
    if wanted == LAST_SHIFT:
        last = sa.select(sa.func.max(key))
        return last if station is None else last.where(of == station)
    return sa.select(key).where(sa.func.substr(key, 1, len(wanted)) == wanted.lower())


# --- by what was written ----------------------------------------------------------------------


def of_package(wanted: str, opened: sa.FromClause = _opened) -> list[Condition]:
    """Attempts with this package: by its name at the time, its sha256, or at least 8 digits of it.

    Found by digest, so that an index serves the name as well.
    """
    sha256, name = opened.c.package_sha256, opened.c.package_name
    called = sa.and_(sha256.in_(sa.select(_package.c.sha256)), name == wanted)
    if not _is_digest(wanted):
        return [called]
    return [sa.or_(called, sha256.in_(sa.select(_package.c.sha256).where(_begins(wanted))))]


def packages_called(wanted: str) -> sa.Select[Any]:
    """The digests of the packages that are meant."""
    same = _opened.c.package_sha256 == _package.c.sha256
    ever = sa.exists().where(same, _opened.c.package_name == wanted)
    meant = sa.or_(ever, _begins(wanted)) if _is_digest(wanted) else ever
    return sa.select(_package.c.sha256).where(meant).order_by(_package.c.sha256)


def _begins(digits: str) -> Condition:
    return sa.func.substr(_package.c.sha256, 1, len(digits)) == digits.lower()


def _is_digest(text: str) -> bool:
    return 8 <= len(text) <= 64 and set(text) <= set("0123456789abcdefABCDEF")


def versions(connection: sa.Connection, column: sa.Column[Any], wanted: str) -> list[str]:
    """The versions in this column that are wanted: exactly, or with `prefix*` all that begin so."""
    if not wanted.endswith("*"):
        return [wanted]
    return [value for value in values(connection, column) if is_meant(value, wanted)]


def is_meant(value: str, wanted: str) -> bool:
    """Exactly, or with `prefix*` by its beginning."""
    return value.startswith(wanted[:-1]) if wanted.endswith("*") else value == wanted


def values(connection: sa.Connection, column: sa.Column[Any], *within: Condition) -> Iterator[str]:
    """Each value in this column, in order; `within`: conditions that its index begins with. The
    column is looked through value by value on that index, not row by row."""
    least = sa.select(sa.func.min(column)).where(*within)
    value = connection.scalar(least)
    while value is not None:
        yield value
        value = connection.scalar(least.where(column > value))
