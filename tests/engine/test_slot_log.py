"""How each slot was is on record, and no slot waits for that."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from station.engine.slot_log import MAX_WAITING, PACE_S, SlotLog
from station.errors import DatabaseError
from station.live import SlotState as S
from station.store.slot_states import OFF, Interval, SlotChange, has_states, slot_intervals
from station.store.writer import Store, open_store
from tests.engine.line import running
from tests.engine.tray import make_line
from tests.mock_time import time_passes
from tests.new_record import new_record


@pytest.fixture
def url(tmp_path: Path) -> str:
    made = f"sqlite:///{tmp_path}/station.sqlite"
    new_record(made)
    return made


class Ticks:
    """A clock that moves by a second each time it is read."""

    def __init__(self) -> None:
        self.now_us = 0

    def __call__(self) -> int:
        self.now_us += 1_000_000
        return self.now_us


@pytest.mark.trio
async def test_intervals_are_told_from_the_changes(url: str, tray_clock: object) -> None:
    async with open_store(url) as store:
        log = SlotLog(store, "line", Ticks())
        log.note("A1", S.EMPTY)
        log.note("A2", S.HELD)
        log.note("A1", S.EMPTY)
        log.note("A1", S.SETTLING)
        await log.end()
    assert list(slot_intervals(url, "line", ["A1", "A2"])) == [
        Interval("A1", "empty", 1_000_000, 3_000_000),
        Interval("A1", "settling", 3_000_000, 4_000_000),
        Interval("A1", OFF, 4_000_000, None),
        Interval("A2", "held", 2_000_000, 5_000_000),
        Interval("A2", OFF, 5_000_000, None),
    ]
    since = list(slot_intervals(url, "line", ["A1"], since_utc_us=3_500_000))
    assert [one.state for one in since] == ["settling", OFF]
    assert list(slot_intervals(url, "elsewhere", ["A1"])) == []
    until = list(slot_intervals(url, "line", ["A1", "A2"], until_utc_us=3_000_000))
    assert until == [
        Interval("A1", "empty", 1_000_000, 3_000_000),
        Interval("A2", "held", 2_000_000, 5_000_000),
    ]
    between = slot_intervals(url, "line", ["A1"], since_utc_us=3_500_000, until_utc_us=3_900_000)
    assert list(between) == [Interval("A1", "settling", 3_000_000, 4_000_000)]
    last = slot_intervals(url, "line", ["A1"], since_utc_us=4_500_000, until_utc_us=9_000_000)
    assert list(last) == [Interval("A1", OFF, 4_000_000, None)]
    assert list(slot_intervals(url, "line", ["A1"], until_utc_us=1_000_000)) == []
    assert (has_states(url, "line"), has_states(url, "elsewhere")) == (True, False)


class Counting:
    """A store that counts its transactions, and refuses them while it is told to."""

    def __init__(self) -> None:
        self.is_writable = True
        self.refuses = False
        self.batches: list[list[SlotChange]] = []

    async def add_slot_changes(self, changes: Sequence[SlotChange]) -> None:
        await trio.lowlevel.checkpoint()
        if self.refuses:
            raise DatabaseError("locked")
        self.batches.append(list(changes))


def of(counting: Counting) -> SlotLog:
    store: Store = counting  # type: ignore[assignment]  # all that a SlotLog uses of it
    return SlotLog(store, "line", Ticks())


@pytest.mark.trio
async def test_many_changes_are_one_transaction_a_second(autojump_clock: object) -> None:
    counting = Counting()
    log = of(counting)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.run)
        for _ in range(30):
            for state in (S.SETTLING, S.IDENTIFYING, S.EMPTY):
                log.note("A1", state)
            await time_passes(0.1)
        await time_passes(2 * PACE_S)
        nursery.cancel_scope.cancel()
    assert len(counting.batches) <= 5
    assert sum(map(len, counting.batches)) == 90


@pytest.mark.trio
async def test_while_nothing_can_be_written_the_oldest_and_the_newest_are_kept(
    autojump_clock: object,
) -> None:
    counting = Counting()
    counting.refuses = True
    log = of(counting)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.run)
        for _ in range(10):
            for _ in range(MAX_WAITING):
                log.note("A1", S.SETTLING)
                log.note("A1", S.EMPTY)
            await time_passes(PACE_S)
        log.note("A1", S.HELD)
        counting.refuses = False
        await time_passes(3 * PACE_S)
        nursery.cancel_scope.cancel()
    told = [change.state for batch in counting.batches for change in batch]
    assert (told[0], told[-1], len(told)) == ("settling", "held", MAX_WAITING)
    ids = [change.change_id for batch in counting.batches for change in batch]
    assert ids == sorted(ids)


@pytest.mark.trio
async def test_a_running_line_records_the_way_of_a_module(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=2)
    async with running(bench) as line:
        await line.arm()
        line.plug("A1")
        await line.see("A1", S.DONE)
        line.unplug("A1")
        await line.see("A1", S.EMPTY)
        await line.line.slot_log.end()
    database = bench.settings().database
    station = bench.settings().station.name
    found = [one.state for one in slot_intervals(database, station, ["A1"])]
    way = ["empty", "settling", "identifying", "planned", "flashing", "verifying", "done"]
    assert [state for state in found if state != "no_usb"] == [*way, "empty", OFF]
