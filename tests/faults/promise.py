"""What the table promises of a mishap that a campaign has drawn, and what came of it.

The table knows mishaps that strike at the first transfer of a step: once, until cured, for ever;
and some that strike once amid it. A campaign draws them anywhere in a step, and several times. So
a module whose station lived is held against the table in one of these ways:

by its own line   the mishap is one of the table's: each of its attempts ends with the line's
                  outcome, code and mode, and its flash is as the line says
once, later       it strikes once, amid the step: as the line of its first transfer, or as a strike
                  there may end (`_LATER`); `erase` and what comes of it is half done then
several times     the last attempt's outcome, code and flash are those of a line for the same kind
                  of mishap at the same step (once, until cured, for ever), or of `_OFTEN`
never struck      it never came to pass: the module is as good as one without
by its fault      the module has a fault of its own: each of its attempts ends as the line of
                  `table_faults.txt`, or is refused because its name is another's

Not compared: rungs, which `test_table` does; of several strikes the mode, and the attempts before
the last; whom the station's death cut off, and all that comes behind it.
"""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from station.errors import (
    AtSilent,
    BackupNotMade,
    DuplicateUnit,
    IdentityClash,
    IdentityUnreadable,
    Nak,
    NoHello,
    NoRecipe,
    Quarantined,
    StationError,
    Timeout,
)
from station.sim.mishap import Cure, Mishap, What
from tests.faults.table import FOR_EVER, OF_FAULTS, TABLE, Row, all_mishaps
from tests.holding import Broken, hold


class By(Enum):
    """How a module was compared with the table."""

    LINE = "by its own line"
    LATER = "once, later"
    KIND = "several times"
    UNSTRUCK = "never struck"
    FAULT = "by its fault"


@dataclass(frozen=True, slots=True)
class Ending:
    outcome: str
    code: str
    flash: str

    def __str__(self) -> str:
        return f"{self.outcome} {self.code} {self.flash}"


@dataclass(frozen=True, slots=True)
class Line:
    """Of the table."""

    ending: Ending
    mode: str

    def __str__(self) -> str:
        return f"{self.ending} {self.mode}"


GOOD = Ending("PASS", "-", "new")

LASTING = frozenset(mishap.what for mishap in all_mishaps() if mishap.cure is Cure.POWER)
"""What stays until it is cured; of the others `Fate` asks no cure, but of one that vanishes whether
there is none."""


def _failed(error: type[StationError], flash: str) -> Ending:
    return Ending("FAIL", error.code, flash)


def _blocked(error: type[StationError]) -> Ending:
    return Ending("BLOCKED", error.code, "old")


_DOUBLE = "copied-chip"
"""With a name of another unit's: after that one it is refused, unwritten."""

_REFUSED = {(error.code, "old") for error in (DuplicateUnit, IdentityClash, Quarantined)}

_LATER = {
    "backup": {_failed(BackupNotMade, "old")},  # begun, its end not seen: it is not asked for twice
}
"""By step: what a strike amid it may come to beside its line."""

_OFTEN = {
    "identify": {_failed(AtSilent, "old"), _blocked(NoRecipe)},  # never all answers at once
    "load_programmer": {_failed(NoHello, "old")},
    "program": {
        _failed(Timeout, "partly"),
        _failed(Nak, "partly"),  # it misses a part of an image, and a part of it when sent again
    },
    "confirm": {_failed(IdentityUnreadable, "new")},
}
"""What several strikes amid it may come to beside that."""


def check(where: str, mishap: Mishap, struck: int, rows: Sequence[Row]) -> By:
    """Of one module's attempts, one after the other. Raises Broken."""
    if (line := own_line(mishap)) is not None:
        for row in rows:
            told = Line(_ending(row), row.mode)
            hold(told == line, f"{where}, {mishap.name}: {told}, but the table says {line}")
        return By.LINE
    by, allowed = _allowed(mishap, struck)
    ending = _ending(rows[-1])
    hold(ending in allowed, f"{where}, {mishap.name}, {by.value}: {ending}, but the table allows "
         + ", ".join(sorted(map(str, allowed))))  # fmt: skip
    return by


def check_fault(where: str, fault: str, rows: Sequence[Row]) -> By:
    """Of the attempts of one module with a fault of its own. Raises Broken."""
    line = fault_lines()[fault]
    for row in rows:
        if fault == _DOUBLE and (row.code, row.flash) in _REFUSED:
            continue
        told = Line(_ending(row), row.mode)
        hold(told == line, f"{where}, {fault}: {told}, but the table says {line}")
    return By.FAULT


def _allowed(mishap: Mishap, struck: int) -> tuple[By, set[Ending]]:
    """How the last attempt may end where the table has no line."""
    if struck == 0:
        return By.UNSTRUCK, {GOOD}
    if mishap.times == 1:
        return By.LATER, _endings_later(mishap)
    return By.KIND, _endings_of_kind(mishap)


def _ending(row: Row) -> Ending:
    return Ending(row.outcome, row.code, row.flash)


def own_line(mishap: Mishap) -> Line | None:
    """The line of the table that is about this very mishap."""
    return lines().get(_as_in_table(mishap))


def _as_in_table(mishap: Mishap) -> Mishap:
    """The same life of a module in the words of the table."""
    what, once, for_ever = mishap.what, mishap.times == 1, mishap.times == FOR_EVER
    if what is What.VANISHES and mishap.cure is Cure.NONE:
        return replace(mishap, times=FOR_EVER)  # it is not there to be struck again
    if what in LASTING:
        cured = once and mishap.cure is Cure.NONE  # power off ends everything
        return replace(mishap, cure=Cure.POWER) if cured else mishap
    if once:
        return replace(mishap, cure=Cure.TIME)
    if for_ever and what is not What.VANISHES:
        return replace(mishap, cure=Cure.NONE)
    return mishap


def _endings_later(mishap: Mishap) -> set[Ending]:
    first = own_line(replace(mishap, after=0))
    if first is None:
        raise Broken(f"the table has no line for {mishap.name} at its first transfer")
    return _half_done(mishap.step, {first.ending}) | _LATER.get(mishap.step, set())


def _endings_of_kind(mishap: Mishap) -> set[Ending]:
    kind = {
        line.ending
        for other, line in lines().items()
        if (other.what, other.step) == (mishap.what, mishap.step)
    }
    return (
        {GOOD}
        | _half_done(mishap.step, kind)
        | _LATER.get(mishap.step, set())
        | _OFTEN.get(mishap.step, set())
    )


def _half_done(step: str, endings: set[Ending]) -> set[Ending]:
    """Amid the erase something is erased already."""
    if step != "erase":
        return endings
    return endings | {replace(e, flash="partly") for e in endings if e.flash == "old"}


@functools.cache
def lines() -> dict[Mishap, Line]:
    """The table as it is promised."""
    named = _named(TABLE)
    return {mishap: named[mishap.name] for mishap in all_mishaps()}


@functools.cache
def fault_lines() -> dict[str, Line]:
    """By fault, where the power can be switched."""
    return _named(OF_FAULTS)


def _named(table: Path) -> dict[str, Line]:
    head, *rows = (re.split(r"\s{2,}", line) for line in table.read_text().splitlines())
    named: dict[str, Line] = {}
    for row in rows:
        cells = dict(zip(head, row, strict=True))
        hold(cells["mishap"] not in named, f"two lines for {cells['mishap']}")
        ending = Ending(cells["outcome"], cells["code"], cells["flash"])
        named[cells["mishap"]] = Line(ending, cells["mode"])
    return named
