"""A wall clock that jumps is noticed, recorded and told for a while."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from station.engine.wall_clock import AHEAD_US, ALARM_US, BACK_US, WallClock
from station.live import SlotState as S
from station.model import Outcome
from station.store.events import find_events
from station.store.writer import now_utc_us
from tests.engine.line import running
from tests.engine.tray import make_line
from tests.mock_time import time_passes

LOOK_US = 2_000_000
HOUR_US = 3_600_000_000


@dataclass
class Time:
    wall_us: int = 10**15
    steady_us: int = 5

    def wall(self) -> int:
        return self.wall_us

    def steady(self) -> int:
        return self.steady_us

    def pass_by(self, steady_us: int, jump_us: int = 0) -> None:
        self.steady_us += steady_us
        self.wall_us += steady_us + jump_us


@pytest.mark.parametrize(
    ("jump_us", "seen"),
    [
        (0, False),
        (-BACK_US, False),
        (-BACK_US - 1, True),
        (AHEAD_US, False),
        (AHEAD_US + 1, True),
        (-20 * 365 * 24 * HOUR_US, True),
    ],
)
def test_only_what_a_time_server_would_not_do_is_a_jump(jump_us: int, seen: bool) -> None:
    now = Time()
    clock = WallClock(now.wall, now.steady)
    now.pass_by(LOOK_US, jump_us)
    assert clock.look() == (jump_us if seen else None)
    assert (clock.trouble is not None) is seen
    now.pass_by(LOOK_US)
    assert clock.look() is None


def test_a_clock_that_is_slewed_never_jumps() -> None:
    """500 ppm for a day are 43 s."""
    now = Time()
    clock = WallClock(now.wall, now.steady)
    for _ in range(43_200):
        now.pass_by(LOOK_US, -1000)
        assert clock.look() is None


def test_the_alarm_ends_by_the_clock_that_nobody_sets() -> None:
    now = Time()
    clock = WallClock(now.wall, now.steady)
    now.pass_by(LOOK_US, -HOUR_US)
    clock.look()
    assert clock.trouble == "the clock of the station was set back by 3600.0 s"
    now.pass_by(ALARM_US)
    clock.look()
    assert clock.trouble is not None
    now.pass_by(1)
    assert clock.trouble is None


def test_a_start_behind_the_record_is_a_jump() -> None:
    now = Time()
    clock = WallClock(now.wall, now.steady)
    assert clock.since(None) is None
    assert clock.since(now.wall_us - HOUR_US) is None
    assert clock.since(now.wall_us + HOUR_US) == -HOUR_US
    assert clock.trouble is not None


@pytest.mark.trio
async def test_a_clock_that_is_set_back_is_told_and_recorded_and_stops_nothing(
    tmp_path: Path, tray_clock: object
) -> None:
    shift_us = 0

    def wall() -> int:
        return now_utc_us() + shift_us

    bench = make_line(tmp_path, slots=2)
    async with running(bench, clock=wall) as run:
        await run.arm()
        run.plug("A1")
        assert (await run.see("A1", S.DONE)).outcome is Outcome.PASS
        shift_us = -HOUR_US
        run.plug("A2")
        assert (await run.see("A2", S.DONE)).outcome is Outcome.PASS
        (alarm,) = run.line.feed.line.alarms
        assert (alarm.code, "set back by 3600" in alarm.cause) == ("S534", True)
        await time_passes(10)
    (event,) = find_events(bench.settings().database, kind="clock")
    assert event.detail["jump_us"] == pytest.approx(-HOUR_US, abs=1_000_000)
    first, second = bench.recorded()
    assert first.opened.started_utc_us > second.opened.started_utc_us
    assert [one.closed.duration_us > 0 for one in (first, second) if one.closed] == [True, True]

    async with running(bench, clock=wall) as run:  # the record is ahead of the clock
        assert [alarm.code for alarm in run.line.feed.line.alarms] == ["S534"]
