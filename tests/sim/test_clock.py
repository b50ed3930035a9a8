import math

import pytest
import trio

from station.patience import real_s
from station.sim.clock import ScaledClock


def test_time_runs_faster_by_the_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr("time.perf_counter", lambda: now_s)
    clock = ScaledClock(20)
    clock.start_clock()
    now_s = 101.5
    assert clock.current_time() == pytest.approx(30)
    assert clock.deadline_to_sleep_time(50) == pytest.approx(1)
    assert clock.deadline_to_sleep_time(10) == 0
    assert clock.deadline_to_sleep_time(math.inf) == math.inf


def test_trio_runs_on_it() -> None:
    async def nap() -> float:
        started_s = trio.current_time()
        await trio.sleep(5)
        return trio.current_time() - started_s

    assert trio.run(nap, clock=ScaledClock(10_000)) >= 5


def test_what_works_in_this_world_gets_its_time() -> None:
    async def told() -> tuple[float, float]:
        return real_s(5), real_s(math.inf)

    assert trio.run(told, clock=ScaledClock(20)) == (100, math.inf)
    assert trio.run(told) == (5, math.inf)


@pytest.mark.parametrize("speed", [0, -1, math.inf, math.nan])
def test_a_speed_must_be_above_zero(speed: float) -> None:
    with pytest.raises(ValueError, match="above zero"):
        ScaledClock(speed)
