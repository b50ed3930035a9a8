"""A tray that ends in the same instant, through the real store: what its slots wait for each other.

Each attempt is opened, with the steps it has by then, as the engine does; only its closing counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import trio

from station.model import AttemptClosed
from station.store.ids import new_id
from station.store.writer import Store, now_utc_us, open_store
from tests.bench.records.attempts import Attempt
from tests.bench.records.figures import Figure, Spent, Watch, percentile, percentiles
from tests.bench.records.line import TRAY, Line

SINGLES = 100
TRAYS = 10
GOAL_MS = 50


def closings(url: str, line: Line) -> Iterator[Figure]:
    more = Line(line.attempts + SINGLES + TRAYS * TRAY, line.images)
    measured = trio.run(_closings, url, more)
    yield from percentiles("a verdict alone", measured.alone)
    alone_ms = percentile((one.wall_s * 1000 for one in measured.alone), 50)
    waited_ms = [one.wall_s * 1000 - alone_ms for one in measured.together]
    yield Figure(f"{TRAY} verdicts add p50", percentile(waited_ms, 50), "ms")
    yield Figure(f"{TRAY} verdicts add p99", percentile(waited_ms, 99), "ms")
    cpu_ms = percentile((spent.cpu_s * 1000 for spent in measured.trays), 50)
    yield Figure(f"{TRAY} verdicts add, most", max(waited_ms), "ms", GOAL_MS, cpu_ms)


@dataclass(slots=True)
class _Measured:
    """Closings, one after the other and with those of their tray; and whole trays."""

    alone: list[Spent] = field(default_factory=list)
    together: list[Spent] = field(default_factory=list)
    trays: list[Spent] = field(default_factory=list)


async def _closings(url: str, more: Line) -> _Measured:
    measured = _Measured()
    numbers = range(more.attempts - SINGLES - TRAYS * TRAY, more.attempts)
    async with open_store(url) as store:
        for number in numbers[:SINGLES]:
            await _close(store, await _open(store, more, number), measured.alone)
        for first in numbers[SINGLES::TRAY]:
            ends = [await _open(store, more, number) for number in range(first, first + TRAY)]
            watch = Watch()
            async with trio.open_nursery() as nursery:
                for closed in ends:
                    nursery.start_soon(_close, store, closed, measured.together)
            measured.trays.append(watch.spent)
    return measured


async def _open(store: Store, line: Line, number: int) -> AttemptClosed:
    """What its closing will be."""
    attempt, now_us = Attempt(line, number), now_utc_us()
    opened = replace(
        attempt.opened, attempt_id=new_id(), started_utc_us=now_us, boot_id=None, shift_id=None
    )
    await store.open_attempt(opened, attempt.steps)
    closed = attempt.closed()
    ended_us = now_us + closed.duration_us
    return replace(closed, attempt_id=opened.attempt_id, ended_utc_us=ended_us)


async def _close(store: Store, closed: AttemptClosed, spent: list[Spent]) -> None:
    watch = Watch()
    await store.close_attempt(closed)
    spent.append(watch.spent)
