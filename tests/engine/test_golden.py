"""Golden units: on record, in no count; production waits for one, and one that fails stops all."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from station.engine.golden import has_passed, is_proven, purpose
from station.errors import GoldenFirst, HubFailed, LineStopped, NotNow
from station.live import SlotState as S
from station.model import GOLDEN, Outcome, Unit, VerifyKind
from station.wire import Lift, Retry, ShiftStart
from tests.engine.line import running
from tests.engine.test_shared_fate import alarms, edit_settings, events
from tests.engine.tray import Line, make_line

VERDICTS = (S.DONE, S.AWAY, S.PULLED)


def with_golden(
    folder: Path, slots: int = 2, faults: Mapping[str, str] | None = None, *, first: bool = True
) -> Line:
    """The module of A1 is golden."""
    bench = make_line(folder, slots, faults)
    imei = bench.tray.modules["A1"].identity.imei
    edit_settings(bench, golden={"units": [imei], "at_shift_start": first})
    return bench


@pytest.mark.trio
async def test_production_waits_for_a_golden_unit_and_then_goes_on_by_itself(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = with_golden(tmp_path)
    async with running(bench) as run:
        await run.arm()
        await run.until(lambda: GoldenFirst.code in alarms(run))
        run.plug("A2")
        view = await run.see("A2", S.DONE)
        assert view.outcome is Outcome.BLOCKED
        assert view.failure is not None
        assert (view.failure.code, view.failure.headline) == (GoldenFirst.code, "GOLDEN UNIT FIRST")
        run.plug("A1")
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.PASS
        await run.until(lambda: run["A2"].outcome is Outcome.PASS)
        await run.until(lambda: GoldenFirst.code not in alarms(run))
        await run.until(lambda: run.line.feed.line.counts.good == 1)
        assert run.line.feed.line.counts.first == 1
    assert [r.opened.purpose for r in bench.recorded(slot="A1")] == [GOLDEN]
    assert [r.opened.purpose for r in bench.recorded(slot="A2")] == [None, None]
    async with running(bench) as run:  # the same shift, as the rows have it
        await run.arm()
        assert not run.line.world.golden.is_due
        await run.ask(ShiftStart(operator="jan"))
        assert run.line.world.golden.is_due
        assert run.line.feed.line.shift is not None
        assert run.line.feed.line.shift.waits_for_golden
        await run.see("A1", S.DONE)
        run.unplug("A1")
        await run.see("A1", S.EMPTY)
        run.plug("A1")
        await run.until(lambda: not run.line.world.golden.is_due)
    again = bench.recorded(slot="A1")[-1]
    assert again.closed is not None
    assert (again.closed.outcome, again.closed.verify) == (Outcome.PASS, VerifyKind.READBACK)
    assert "program" in {step.name for step in again.steps}, "it had the version already"


@pytest.mark.trio
async def test_one_that_does_not_pass_stops_the_line_until_an_engineer_lifts_it(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = with_golden(tmp_path, faults={"A1": "nak"})
    edit_settings(bench, line={"breaker": None, "attempts": 1})
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.FAIL
        await run.until(lambda: LineStopped.code in alarms(run))
        assert "golden unit did not pass in slot A1" in alarms(run)[LineStopped.code]
        with pytest.raises(NotNow):
            await run.ask(Retry(slot="A1"))
        await run.until(lambda: bool(events(bench, "breaker_tripped")))
    async with running(bench) as run:
        await run.arm()
        assert run.line.guard.stopped is not None
        await run.ask(Lift(by="eva", reason="the cable was loose"))
        assert run.line.guard.stopped is None
        assert run.line.world.golden.is_due
        run.plug("A2")
        assert (await run.see("A2", S.DONE)).failure is not None
    async with running(bench) as run:
        assert run.line.guard.stopped is None


@pytest.mark.trio
async def test_where_the_line_does_not_require_it_it_is_only_in_no_count(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = with_golden(tmp_path, first=False)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        run.plug("A2")
        for slot in ("A1", "A2"):
            assert (await run.see(slot, *VERDICTS)).outcome is Outcome.PASS
        await run.until(lambda: run.line.feed.line.counts.good == 1)


@pytest.mark.trio
async def test_flashed_without_the_line_it_is_golden_too(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = with_golden(tmp_path)
    tally = await bench.flash()
    assert {r.opened.slot: r.opened.purpose for r in tally.records} == {"A1": GOLDEN, "A2": None}


@pytest.mark.trio
async def test_a_shift_that_waits_for_one_waits_without_the_line_too(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = with_golden(tmp_path)
    async with running(bench) as run:
        await run.arm()
    first = {r.opened.slot: r.closed for r in (await bench.flash()).records}
    assert first["A1"] is not None
    assert first["A1"].outcome is Outcome.PASS
    assert first["A2"] is not None
    assert first["A2"].failure is not None
    assert first["A2"].failure.code == GoldenFirst.code
    [again] = (await bench.flash("A2")).records
    assert again.closed is not None
    assert again.closed.outcome is Outcome.PASS


@pytest.mark.trio
async def test_a_shift_that_was_forgotten_waits_for_nothing(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = with_golden(tmp_path)
    async with running(bench) as run:
        await run.arm()
    monkeypatch.setattr("station.engine.shift.FORGOTTEN_US", 0)
    [record] = (await bench.flash("A2")).records
    assert record.closed is not None
    assert record.closed.outcome is Outcome.PASS
    assert record.opened.shift_id is None


def test_what_a_verdict_says_of_the_line() -> None:
    said = {
        (Outcome.PASS, None): True,
        (Outcome.NO_CHANGE, None): None,
        (Outcome.FAIL, "P112"): False,
        (Outcome.BLOCKED, "R302"): False,
        (Outcome.ERROR, HubFailed.code): None,
        (Outcome.ERROR, "S501"): None,
        (Outcome.ABORTED, "X902"): None,
        (Outcome.INTERRUPTED, "X903"): None,
    }
    assert {case: has_passed(*case) for case in said} == said
    assert is_proven([(Outcome.ABORTED, "X902"), (Outcome.PASS, None), (Outcome.FAIL, "P112")])
    assert not is_proven([(Outcome.FAIL, "P112"), (Outcome.PASS, None)])
    assert not is_proven([])


def test_a_golden_unit_is_known_by_imei_or_serial() -> None:
    units = ("864266050000011", "MPA1")
    assert purpose(Unit(imei="864266050000011"), units) == GOLDEN
    assert purpose(Unit(imei="1", serial="MPA1"), units) == GOLDEN
    assert purpose(Unit(imei="1", serial="MPA2"), units) is None
    assert purpose(Unit(), units) is None
