"""A wall clock that is set back: what is newest is what was made last."""

import time
from collections.abc import Callable
from threading import Thread

import pytest
import uuid_utils

from station.model import Outcome
from station.store.events import find_events, held_slots, last_event
from station.store.examine import newest_key
from station.store.ids import Keys, new_id
from station.store.queries import find_attempts, last_verdict, unit_by_chip
from station.store.slot_states import Interval, SlotChange, slot_intervals
from station.store.writer import Store
from tests.store.samples import (
    AFTER,
    CHIP,
    NOON_US,
    UNIT,
    attempt,
    event,
    failed,
    flashed,
    recorded,
    written,
)

YEAR_NS = 365 * 86_400 * 10**9
HOUR_US = 3_600_000_000


def test_keys_sort_as_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = time.time_ns()
    clock = iter([now_ns, now_ns, now_ns - YEAR_NS, now_ns - 1, now_ns + 5 * 10**9, now_ns])
    monkeypatch.setattr(time, "time_ns", lambda: next(clock))
    made = [Keys().new(), *map(_new(Keys()), range(5))]
    assert made[1:] == sorted(set(made[1:]))


def test_the_newest_key_may_be_in_any_table(url: str) -> None:
    ahead = str(uuid_utils.uuid7(nanoseconds=time.time_ns() + YEAR_NS))
    flashed(url, attempt())
    change = SlotChange(ahead, "line-1", NOON_US, "A1", "held")
    written(url, lambda store: store.add_slot_changes([change]))
    assert newest_key(url) == ahead


def _new(keys: Keys) -> Callable[[int], str]:
    return lambda _: keys.new()


def test_keys_made_by_several_threads_are_several() -> None:
    keys, made = Keys(), list[str]()
    threads = [Thread(target=lambda: made.extend(keys.new() for _ in range(500))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 2000


def test_keys_come_after_those_of_the_record() -> None:
    ahead = str(uuid_utils.uuid7(nanoseconds=time.time_ns() + YEAR_NS))
    keys = Keys()
    keys.after(ahead)
    assert keys.new() > ahead


@pytest.mark.parametrize("odd", [None, "", "A1", "ffffffff-ffff-7fff-bfff-ffffffffffff"])
def test_a_key_that_is_none_changes_nothing(odd: str | None) -> None:
    keys = Keys()
    keys.after(odd)
    assert abs(_ms(keys.new()) - time.time_ns() // 1_000_000) < 60_000


def _ms(key: str) -> int:
    return int(key.replace("-", "")[:12], 16)


def test_a_start_after_the_clock_was_set_back_goes_on_behind_the_record(url: str) -> None:
    ahead = str(uuid_utils.uuid7(nanoseconds=time.time_ns() + 60 * 10**9))
    flashed(url, attempt(attempt_id=ahead))

    async def opened(_: Store) -> str:
        return new_id()

    assert written(url, opened) > ahead


def test_an_older_verdict_does_not_become_the_newer_one(url: str) -> None:
    passed = attempt(started_utc_us=NOON_US + HOUR_US)
    flashed(url, passed)
    bad = attempt(started_utc_us=NOON_US)
    flashed(url, bad, failed(bad))
    newest = last_verdict(url, UNIT)
    assert newest is not None
    assert newest.closed is not None
    assert newest.closed.outcome is Outcome.FAIL
    assert [a.opened.attempt_id for a in find_attempts(url, limit=1)] == [bad.attempt_id]
    known = unit_by_chip(url, CHIP)
    assert known is not None
    assert known.firmware != AFTER


def test_a_slot_that_was_released_stays_released(url: str) -> None:
    recorded(
        url,
        event("hold", utc_us=NOON_US + HOUR_US),
        event("release", utc_us=NOON_US),
        event("hold", slot="A2", utc_us=NOON_US - HOUR_US),
    )
    assert set(held_slots(url, "line-1")) == {"A2"}
    last = last_event(url, "line-1", "hold")
    assert last is not None
    assert last.slot == "A2"
    assert [one.utc_us for one in find_events(url)] == [
        NOON_US - HOUR_US,
        NOON_US,
        NOON_US + HOUR_US,
    ]


def test_a_slot_is_now_as_it_was_told_last(url: str) -> None:
    """Whatever part of its states is asked for."""
    told = [(0, "empty"), (2, "flashing"), (4, "done"), (1, "empty"), (2, "held")]
    at = [NOON_US + hours * HOUR_US for hours, _ in told]
    changes = [
        SlotChange(new_id(), "line-1", utc_us, "A1", state)
        for utc_us, (_, state) in zip(at, told, strict=True)
    ]
    written(url, lambda store: store.add_slot_changes(changes))
    every = [
        Interval("A1", "empty", at[0], at[1]),
        Interval("A1", "flashing", at[1], at[2]),
        Interval("A1", "done", at[2], at[3]),
        Interval("A1", "empty", at[3], at[4]),
        Interval("A1", "held", at[4], None),
    ]

    def told_of(**span: float) -> list[Interval]:
        moments = {name: NOON_US + int(hours * HOUR_US) for name, hours in span.items()}
        return list(slot_intervals(url, "line-1", ["A1"], **moments))

    def since(hours: float) -> list[Interval]:
        return told_of(since_utc_us=hours)

    assert list(slot_intervals(url, "line-1", ["A1"])) == every
    assert since(-1) == since(0) == since(1.5) == every
    assert since(2) == [every[1], every[2], every[4]]
    assert since(3) == [every[1], every[2], every[4]]
    assert since(4) == [every[2], every[4]]
    assert since(4.5) == since(99) == [every[4]]
    assert told_of(until_utc_us=99) == told_of(until_utc_us=4.5) == every
    assert told_of(until_utc_us=4) == [every[0], every[1], every[3], every[4]]
    assert told_of(until_utc_us=2) == [every[0], every[3]]
    assert told_of(until_utc_us=1) == [every[0]]
    assert told_of(until_utc_us=0) == []
    assert told_of(since_utc_us=3, until_utc_us=4) == [every[1], every[4]]
