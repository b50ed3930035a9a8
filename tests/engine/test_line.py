"""The running line: when a flash starts, what stands, what is refused and what is recorded."""

from pathlib import Path

import pytest
import trio

from station.engine.place import SETTLE_S
from station.engine.rollcall import BOOT_S
from station.errors import NotArmed, NotNow, RecipeChanged, UsageError
from station.live import BUSY, LineState
from station.live import SlotState as S
from station.model import Outcome
from station.store.events import find_events
from station.wire import Abort, Arm, Clear, Disarm, Hold, RecipeChoice, Release, Retry
from tests.engine.line import running
from tests.engine.tray import code_of, make_line, no_breaches
from tests.mock_time import time_passes

VERDICTS = (S.DONE, S.AWAY, S.PULLED)


def _kinds(run_config: str) -> list[str]:
    return [event.kind for event in find_events(run_config)]


@pytest.mark.trio
async def test_an_armed_line_flashes_what_arrives(tmp_path: Path, tray_clock: object) -> None:
    bench = make_line(tmp_path, slots=2)
    with no_breaches(bench.tray):
        async with running(bench) as run:
            await run.arm(target=2)
            run.plug("A1")
            run.plug("A2")
            for slot in ("A1", "A2"):
                view = await run.see(slot, *VERDICTS)
                assert view.outcome is Outcome.PASS, view.failure
                assert view.imei == bench.tray.modules[slot].identity.imei
                assert view.recipe == "ec25-demo"
                assert view.firmware == view.version
                assert view.steps[-1].name == "confirm"
            await run.until(lambda: run.line.feed.line.counts.good == 2)
            assert run.line.feed.line.counts.first_pass == 2
    records = bench.recorded(slot="A1")
    assert [r.opened.operator for r in records] == ["maria"]
    assert [r.opened.trigger for r in records] == ["arrival"]


@pytest.mark.trio
async def test_without_arming_nothing_is_flashed(tmp_path: Path, tray_clock: object) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        run.plug("A1")
        view = await run.see("A1", S.WAITING)
        assert view.failure is not None
        assert view.failure.code == "L601"
        await time_passes(3600)
        assert run["A1"].state is S.WAITING
        assert bench.tray.modules["A1"].out_log.entries == []
        with pytest.raises(NotArmed):
            await run.ask(Retry(slot="A1"))
        await run.arm()
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.PASS


@pytest.mark.trio
async def test_a_module_that_was_there_before_the_engine_is_not_flashed_again(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=2)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.see("A1", *VERDICTS)
        passed = run["A1"]
    run.plug("A2")  # a module that this station never saw
    async with running(bench) as run:
        known = await run.see("A1", S.DONE)
        assert known.outcome is Outcome.PASS
        assert known.attempt_id == passed.attempt_id
        assert known.earlier is not None
        assert known.earlier.ended_utc_us == passed.ended_utc_us
        stranger = await run.see("A2", S.STANDING)
        assert stranger.failure is not None
        assert stranger.failure.code == "L608"
        await run.arm()
        await time_passes(600)
        assert (run["A1"].state, run["A2"].state) == (S.DONE, S.STANDING)
        assert len(bench.recorded()) == 1
        await run.ask(Retry(slot="A2", by="maria"))
        assert (await run.see("A2", *VERDICTS)).outcome is Outcome.PASS
        run.unplug("A1")
        await run.see("A1", S.EMPTY)


@pytest.mark.trio
async def test_a_verdict_stands_until_removal_and_the_same_module_is_told_already_pass(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        first = await run.see("A1", *VERDICTS)
        await time_passes(3600)
        assert run["A1"] == first
        run.unplug("A1")
        assert (await run.see("A1", S.EMPTY)).outcome is None
        run.plug("A1")
        again = await run.see("A1", S.DONE)
        assert again.outcome is Outcome.NO_CHANGE
        await run.until(lambda: run["A1"].earlier is not None)
        earlier = run["A1"].earlier
        assert earlier is not None
        assert (earlier.outcome, earlier.slot) == (Outcome.PASS, "A1")
        assert earlier.ended_utc_us == first.ended_utc_us
        await run.until(lambda: run.line.feed.line.counts.good == 1)


@pytest.mark.trio
async def test_a_return_from_our_reset_is_no_arrival(tmp_path: Path, tray_clock: object) -> None:
    bench = make_line(tmp_path, faults={"A1": "no-return-once"})
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        view = await run.see("A1", *VERDICTS)
        assert view.state is S.AWAY
        assert view.failure is not None
        assert view.failure.code == "D206"
        run.plug("A1")  # it is back after all
        late = await run.see("A1", S.DONE)
        assert late.failure == view.failure
        assert late.attempt_id == view.attempt_id
        await time_passes(600)
        assert len(bench.recorded()) == 1
        run.unplug("A1")
        await run.see("A1", S.EMPTY)


@pytest.mark.trio
async def test_another_module_after_one_that_did_not_return_starts_anew(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=2, faults={"A1": "no-return"})
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.see("A1", S.AWAY)
        run.bench.backend.plug(bench.tray.ports["A1"], bench.tray.modules["A2"])
        view = await run.see("A1", S.DONE)
        assert view.outcome is Outcome.PASS
        assert view.imei == bench.tray.modules["A2"].identity.imei


@pytest.mark.trio
async def test_who_stays_dark_says_no_usb(tmp_path: Path, tray_clock: object) -> None:
    bench = make_line(tmp_path, slots=3)
    async with running(bench) as run:
        await time_passes(600)
        assert {run[slot].state for slot in ("A1", "A2", "A3")} == {S.EMPTY}
        await run.arm()
        run.plug("A1")
        run.plug("A3")
        view = await run.see("A2", S.NO_USB, timeout_s=BOOT_S + SETTLE_S + 60)
        assert view.failure is not None
        assert view.failure.code == "U101"
        await run.until(lambda: "L609" in [a.code for a in run.line.feed.line.alarms])
        run.plug("A2")
        assert (await run.see("A2", *VERDICTS)).outcome is Outcome.PASS
        await run.until(lambda: run.line.feed.line.alarms == ())
        await run.see("A1", *VERDICTS)
        run.unplug("A1")
        await time_passes(600)
        assert run["A1"].state is S.EMPTY


@pytest.mark.trio
async def test_arming_checks_what_was_shown(tmp_path: Path, tray_clock: object) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        for name in ("ec25-demo", "nothing"):
            other = Arm(recipes=(RecipeChoice(name=name, sha256="0" * 64),), operator="maria")
            with pytest.raises(RecipeChanged):
                await run.ask(other)
        with pytest.raises(UsageError):
            await run.arm(expect=("B9",))
        with pytest.raises(UsageError):
            await run.arm(expect=7)
        assert run.line.state is LineState.DISARMED
        assert _kinds(run.line.world.settings.database) == []


@pytest.mark.trio
async def test_a_package_that_is_damaged_keeps_the_line_from_being_armed(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    recipe = (tmp_path / "recipes" / "ec25-demo.yaml").read_text(encoding="utf-8")
    bench.edit_recipe(
        firmware={
            "package": "../packages/none",
            "version": "EC25EFAR06A06M4G_01.002.01.002",
        }
    )
    async with running(bench) as run:
        with pytest.raises(Exception, match="none") as refused:
            await run.arm()
        assert getattr(refused.value, "code", None) == "F401"
        assert run.line.state is LineState.DISARMED
        (tmp_path / "recipes" / "ec25-demo.yaml").write_text(recipe, encoding="utf-8")
        await run.arm()
        assert run.line.floor.may_start


@pytest.mark.trio
async def test_disarming_finishes_what_runs_and_starts_nothing_more(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=2)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.see("A1", S.FLASHING)
        await run.ask(Disarm())
        run.plug("A2")
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.PASS
        assert (await run.see("A2", S.WAITING)).outcome is None
        await run.arm()
        assert (await run.see("A2", *VERDICTS)).outcome is Outcome.PASS
        await run.until(lambda: run.line.feed.line.counts.good == 2)  # the pause is no new run
        events = find_events(run.line.world.settings.database)
    assert [event.kind for event in events] == ["armed", "disarmed", "armed"]
    assert {event.peer_user for event in events} == {"maria"}


@pytest.mark.trio
async def test_abort_hold_release_and_clear(tmp_path: Path, tray_clock: object) -> None:
    bench = make_line(tmp_path, slots=2, faults={"A2": "unplug"})
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.see("A1", S.IDENTIFYING)
        with pytest.raises(NotNow):
            await run.ask(Hold(slot="A1", reason="bad contact"))
        await run.ask(Abort(slot="A1"))
        view = await run.see("A1", *VERDICTS)
        assert view.outcome is Outcome.ABORTED
        await run.ask(Hold(slot="A1", reason="bad contact"))
        assert run["A1"].state is S.HELD
        with pytest.raises(NotNow):
            await run.ask(Retry(slot="A1"))
        await run.ask(Release(slot="A1"))
        await run.see("A1", S.STANDING)  # aborted before it was known, it has no verdict
        await run.ask(Retry(slot="A1"))
        await run.see("A1", S.FLASHING)
        await run.until(lambda: run.line.places["A1"].is_writing)
        with pytest.raises(NotNow):
            await run.ask(Abort(slot="A1"))
        await run.ask(Abort(slot="A1", now=True))
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.ABORTED

        run.plug("A2")
        pulled = await run.see("A2", *VERDICTS)
        assert pulled.state is S.PULLED
        assert pulled.failure is not None
        assert pulled.failure.code == "U110"
        await run.ask(Clear(slot="A2"))
        assert run["A2"].state is S.EMPTY
        with pytest.raises(UsageError):
            await run.ask(Clear(slot="B1"))


@pytest.mark.trio
async def test_a_verdict_stands_over_a_hold(tmp_path: Path, tray_clock: object) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        passed = await run.see("A1", *VERDICTS)
        await run.ask(Hold(slot="A1", reason="cleaning"))
        await run.ask(Release(slot="A1"))
        again = await run.see("A1", S.DONE)
        assert (again.outcome, again.attempt_id) == (Outcome.PASS, passed.attempt_id)
        assert len(bench.recorded()) == 1


@pytest.mark.trio
async def test_a_held_slot_stays_held_when_the_engine_starts_again(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=2)
    async with running(bench) as run:
        await run.ask(Hold(slot="A1", reason="bent pin", by="eva"))
        await run.ask(Hold(slot="A2", reason="cleaning"))
        await run.ask(Release(slot="A2"))
    run.plug("A1")
    async with running(bench) as run:
        await run.arm()
        held = run["A1"]
        assert held.state is S.HELD
        assert held.failure is not None
        assert held.failure.cause == "bent pin"
        run.plug("A2")
        assert (await run.see("A2", *VERDICTS)).outcome is Outcome.PASS
        assert run["A1"].state is S.HELD
        await run.ask(Release(slot="A1"))
        assert run["A1"].state is not S.HELD
    assert bench.recorded(slot="A1") == []


@pytest.mark.trio
async def test_a_draining_line_finishes_what_writes_and_gives_the_rest_back(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=2)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.until(lambda: run.line.places["A1"].is_writing)
        run.plug("A2")
        await run.see("A2", S.IDENTIFYING)
        with trio.fail_after(300):
            await run.line.drain()
        assert not any(run[slot].state in BUSY for slot in ("A1", "A2"))
        assert run["A1"].outcome is Outcome.PASS
        assert run["A2"].outcome is Outcome.ABORTED
        with pytest.raises(Exception, match="stopped"):
            await run.arm()
    assert [code_of(record) for record in bench.recorded(slot="A2")] == ["X902"]


@pytest.mark.trio
async def test_an_engine_that_is_cancelled_records_what_it_cut_off(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.see("A1", S.FLASHING)
    assert [code_of(record) for record in bench.recorded(slot="A1")] == ["X902"]
