"""What auditors ask of the whole record, each to the end: how many rows came."""

from collections.abc import Callable, Iterable, Iterator

from station.store.clashes import find_clashes
from station.store.questions import open_attempts, pareto
from station.store.recall import ever, recall
from station.store.scope import Scope
from station.store.yields import By, yields
from tests.bench.records.line import DAY_US, PACKAGES, Line


def asks(url: str, line: Line) -> Iterator[tuple[str, float, Callable[[], int]]]:
    """What, within how many seconds, and the question."""
    end_us = line.tray_us(line.trays)
    day = Scope(since_utc_us=end_us - 2 * DAY_US, until_utc_us=end_us - DAY_US)
    month = Scope(since_utc_us=end_us - 30 * DAY_US, until_utc_us=end_us)
    package = PACKAGES[3].name

    yield "recall list", 10, lambda: _count(recall(url, package=package))
    yield "ever flashed", 10, lambda: _count(ever(url, package=package))
    yield "yield of a day", 1, lambda: _count(yields(url, day))
    yield "yield of a day by slot", 1, lambda: _count(yields(url, day, By.SLOT))
    yield "yield by day of a month", 10, lambda: _count(yields(url, month, By.DAY))
    yield "codes of a day", 1, lambda: _count(pareto(url, day))
    yield "codes of all", 10, lambda: _count(pareto(url, Scope()))
    yield "clashes", 1, lambda: len(find_clashes(url))
    yield "attempts without an end", 10, lambda: _count(open_attempts(url, Scope()))


def _count(rows: Iterable[object]) -> int:
    return sum(1 for _ in rows)
