"""What a screen can ask the record besides the history of a unit, and the answers in words. Blocks.

What units have, or ever had, is asked of all stations that share the record, the rest of this one.
`station audit` asks the same, without a limit; `station.store.yields` defines the numbers.
"""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from itertools import chain, islice
from typing import Protocol

from station.dashboard.paper import day_and_clock
from station.dashboard.words import local, outcome_word
from station.store.clashes import find_clashes
from station.store.questions import open_attempts, pareto
from station.store.recall import Flashed, ever, recall
from station.store.scope import LAST_SHIFT, Scope
from station.store.yields import By, Rate, Yield, yields


class Ask(Enum):
    """The questions, as their answers are headed."""

    RECALL = "latest good flash is"
    EVER = "ever flashed with"
    CODES = "failure codes of today"
    TODAY = "yield of today"
    SHIFT = "yield of the last shift"
    OPEN = "attempts without an end"
    CLASHES = "names that clash"

    @property
    def is_about_a_name(self) -> bool:
        """Of a package or a version; it is typed before."""
        return self in (Ask.RECALL, Ask.EVER)


_CLASHES = 1000
"""The newest; a line that has more has other troubles."""

Row = tuple[str, ...]


class _Question(Protocol):
    def __call__(
        self, url: str, *, package: str | None = None, firmware: str | None = None
    ) -> Generator[Flashed, None, None]: ...


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table; `is_cut`: there is more than was asked for."""

    columns: Row
    rows: tuple[Row, ...]
    is_cut: bool = False


def answer(url: str, station: str, asked: Ask, text: str, now_utc_us: int, limit: int) -> Sheet:
    """At most `limit` rows. `text`: a package or a version, for the questions about one. Raises
    StationError when the record cannot be asked."""
    columns, rows = _COLUMNS[asked], _rows(url, station, asked, text, now_utc_us)
    with closing(rows):  # only then it is known whether they are of one moment
        found = tuple(islice(rows, limit + 1))
    return Sheet(columns, found[:limit], is_cut=len(found) > limit)


_FLASHED = ("IMEI", "serial", "chip", "flashed", "slot", "package", "firmware")
_YIELD = ("slot", "first pass", "final", "retests", "station loss", "blocked", "golden")
_COLUMNS: dict[Ask, Row] = {
    Ask.RECALL: _FLASHED,
    Ask.EVER: ("still", *_FLASHED),
    Ask.CODES: ("code", "headline", "verdict", "attempts", "share", "units"),
    Ask.TODAY: _YIELD,
    Ask.SHIFT: _YIELD,
    Ask.OPEN: ("began", "slot", "IMEI", "serial", "recipe", "operator", "attempt"),
    Ask.CLASHES: ("when", "slot", "clash", "unit", "other unit", "attempt"),
}


def _rows(
    url: str, station: str, asked: Ask, text: str, now_utc_us: int
) -> Generator[Row, None, None]:
    today = Scope(station=station, since_utc_us=_midnight_utc_us(now_utc_us))
    match asked:
        case Ask.RECALL:
            with closing(_named(url, recall, text)) as found:
                yield from (_flashed(one, station) for one in found)
        case Ask.EVER:
            with closing(_named(url, ever, text)) as found:
                for one in found:
                    yield ("yes" if one.is_latest else "no", *_flashed(one, station))
        case Ask.CODES:
            for cause in pareto(url, today):
                numbers = (str(cause.attempts), str(cause.share), str(cause.units))
                yield (cause.code, cause.headline, outcome_word(cause.outcome), *numbers)
        case Ask.TODAY:
            yield from _yields(url, today)
        case Ask.SHIFT:
            yield from _yields(url, Scope(station=station, shift=LAST_SHIFT))
        case Ask.OPEN:
            for record in open_attempts(url, Scope(station=station)):
                begun, unit = record.opened, record.opened.unit
                recipe = begun.recipe.name if begun.recipe else ""
                names = (begun.slot, unit.imei or "", unit.serial or "", recipe, begun.operator)
                yield (day_and_clock(begun.started_utc_us), *names, begun.attempt_id)
        case Ask.CLASHES:
            for clash in reversed(find_clashes(url, station=station, limit=_CLASHES)):
                what = (clash.slot, f"{clash.kind} {clash.value}")
                units = (", ".join(clash.names), ", ".join(clash.other_names))
                yield (day_and_clock(clash.utc_us), *what, *units, clash.attempt_id)


def _named(url: str, question: _Question, text: str) -> Generator[Flashed, None, None]:
    """Of the package with this name or digest; where there is none, of the version."""
    by_package = question(url, package=text)
    first = next(by_package, None)
    if first is None:
        yield from question(url, firmware=text)
    else:
        yield first
        yield from by_package


def _flashed(one: Flashed, here: str) -> Row:
    return (
        one.imei or "",
        one.serial or "",
        one.chip_serial or "",
        day_and_clock(one.ended_utc_us)[:16],
        one.slot if one.station == here else f"{one.station}/{one.slot}",
        one.package or "",
        one.firmware or "",
    )


def _yields(url: str, scope: Scope) -> Iterator[Row]:
    """All of them, then slot by slot."""
    for one in chain(yields(url, scope), yields(url, scope, By.SLOT)):
        yield _yield(one)


def _yield(one: Yield) -> Row:
    rates = (one.first_pass_yield, one.final_yield, one.retest_rate)
    beside = (one.station_loss, one.blocked, one.off_line)
    return (one.group or "", *map(_rate, rates), *map(str, beside))


def _rate(rate: Rate) -> str:
    return f"{rate} ({rate.part}/{rate.whole})" if rate.whole else str(rate)


def _midnight_utc_us(now_utc_us: int) -> int:
    """When this day began on the clock on the wall."""
    midnight = local(now_utc_us).replace(hour=0, minute=0, second=0, microsecond=0)
    return int(midnight.timestamp()) * 1_000_000
