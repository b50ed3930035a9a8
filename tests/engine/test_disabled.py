"""Slots whose place in the USB tree is in doubt, and modules on ports of no slot."""

from pathlib import Path

import pytest
import trio

from station.engine.health import LOOK_S
from station.errors import HubMoved, NotNow
from station.live import SlotState as S
from station.model import Outcome
from station.wire import Abort, Clear, Hold, Release, Retry
from tests.engine.line import Running, running
from tests.engine.tray import by_slot, code_of, make_line
from tests.mock_time import time_passes

MOVED = HubMoved("hub A is expected at X; it is at Y")


def alarms(run: Running) -> dict[str, str]:
    return {alarm.code: alarm.cause for alarm in run.line.feed.line.alarms}


@pytest.mark.trio
async def test_a_disabled_slot_is_told_and_the_others_work(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=3)
    bench.barred = {"A1": MOVED, "A2": MOVED}
    async with running(bench) as run:
        view = run["A1"]
        assert view.state is S.DISABLED
        assert view.failure is not None
        assert (view.failure.code, view.failure.headline) == ("U120", "HUB MOVED")
        assert alarms(run)["U120"] == f"disabled are A1, A2: {MOVED.cause}"
        await run.arm()
        run.plug("A1")
        run.plug("A3")
        assert (await run.see("A3", S.DONE)).outcome is Outcome.PASS
        await time_passes(3600)
        assert run["A1"].state is run["A2"].state is S.DISABLED
        assert bench.tray.modules["A1"].out_log.entries == []
        assert "L609" not in alarms(run)
    assert bench.recorded(slot="A1") == []


@pytest.mark.trio
async def test_no_command_starts_a_disabled_slot(tmp_path: Path, tray_clock: object) -> None:
    bench = make_line(tmp_path, slots=2)
    bench.barred = {"A1": MOVED}
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        for command in (
            Retry(slot="A1"),
            Abort(slot="A1", now=True),
            Hold(slot="A1", reason="bent pin"),
            Release(slot="A1"),
            Clear(slot="A1"),
        ):
            with pytest.raises(NotNow, match="in doubt"):
                await run.ask(command)


@pytest.mark.trio
async def test_a_slot_that_was_held_is_held_again_once_its_place_is_known(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=1)
    async with running(bench) as run:
        await run.ask(Hold(slot="A1", reason="bent pin"))
    bench.barred = {"A1": MOVED}
    async with running(bench) as run:
        assert run["A1"].state is S.DISABLED
    bench.barred = {}
    async with running(bench) as run:
        assert run["A1"].state is S.HELD


@pytest.mark.trio
async def test_one_tray_ends_blocked_where_the_place_is_in_doubt(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=2)
    bench.barred = {"A2": MOVED}
    began_s = trio.current_time()
    tally = await bench.flash(wait_s=3600.0)
    records = by_slot(tally)
    assert trio.current_time() - began_s < 3600
    assert code_of(records["A1"]) is None
    closed = records["A2"].closed
    assert closed is not None
    assert closed.failure is not None
    assert (closed.outcome, closed.failure.code) == (Outcome.BLOCKED, "U120")
    assert bench.tray.modules["A2"].out_log.entries == []
    assert [code_of(record) for record in bench.recorded(slot="A2")] == ["U120"]


@pytest.mark.trio
async def test_a_module_on_a_port_of_no_slot_is_shown_and_left_alone(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=2)
    bench.barred = {"A2": MOVED}  # its ports are nobody's now
    async with running(bench) as run:
        await run.arm()
        run.plug("A2")
        await time_passes(3 * LOOK_S)
        assert alarms(run)["L610"] == "a module on 1-1.2 (2c7c:0125)"
        assert bench.tray.modules["A2"].out_log.entries == []
        run.unplug("A2")
        await time_passes(3 * LOOK_S)
        assert "L610" not in alarms(run)
    tally = await bench.flash("A1")
    assert tally.unknown == "a module on 1-1.2 (2c7c:0125)"
