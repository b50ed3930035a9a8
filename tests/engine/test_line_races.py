"""The running line when things happen in the same moment, or while a thread is on its way."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from station.engine import health, place
from station.engine.attempt import BY_HAND
from station.errors import DatabaseError, DiskTrouble, LabelMismatch, NotNow, UsageError
from station.live import BUSY, LineState
from station.live import SlotState as S
from station.model import Outcome
from station.sim.faults import Arrival
from station.sim.tray import make_tray
from station.store.writer import Store
from station.wire import Abort, Arm, Disarm, Hold, RecipeChoice, Retry, Stop
from tests.engine.line import Running, running
from tests.engine.tray import make_line
from tests.mock_time import time_passes

VERDICTS = (S.DONE, S.AWAY, S.PULLED)


def slow(monkeypatch: pytest.MonkeyPatch, name: str, by_s: float) -> trio.Event:
    """A question or commit whose thread takes its time and cannot be abandoned."""
    quick: Callable[..., Awaitable[Any]] = getattr(Store, name)
    begun = trio.Event()

    async def slowly(self: Store, *args: Any, **more: Any) -> Any:  # noqa: ANN401 - whatever it is
        begun.set()
        with trio.CancelScope(shield=True):
            await time_passes(by_s)
            return await quick(self, *args, **more)

    monkeypatch.setattr(Store, name, slowly)
    return begun


def failing(monkeypatch: pytest.MonkeyPatch, name: str, error: Exception) -> None:
    async def fail(*_: Any, **__: Any) -> None:  # noqa: ANN401 - whatever is asked
        raise error

    monkeypatch.setattr(Store, name, fail)


# --- a bug in one slot ------------------------------------------------------------------------


@pytest.mark.trio
async def test_a_bug_while_one_module_is_asked_ends_no_other_attempt(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path, slots=2, faults={"A1": "no-return-once"})

    async def bug(*_: Any) -> None:  # noqa: ANN401 - whatever is asked
        raise ValueError("one odd descriptor")

    async with running(bench) as run:
        await run.arm(expect="none")
        run.plug("A1")
        await run.see("A1", S.AWAY)
        run.plug("A2")
        await run.until(lambda: run.line.places["A2"].is_writing)
        monkeypatch.setattr(place, "probe", bug)
        run.plug("A1")
        view = await run.see("A1", S.STANDING)
        assert view.outcome is None
        assert (await run.see("A2", *VERDICTS)).outcome is Outcome.PASS


@pytest.mark.trio
async def test_a_bug_in_a_slots_own_task_stops_this_slot_alone(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path, slots=2)
    async with running(bench) as run:
        await run.arm(expect="none")
        keep = place.Place._settle

        async def stumble(self: place.Place) -> None:
            if self.view.slot == "A1":
                raise TypeError("a slip")
            await keep(self)

        with monkeypatch.context() as patch:
            patch.setattr(place.Place, "_settle", stumble)
            run.plug("A1")
            run.plug("A2")
            view = await run.see("A1", S.STANDING)
            assert view.failure is not None
            assert view.failure.code == "X901"
            assert (await run.see("A2", *VERDICTS)).outcome is Outcome.PASS
        await run.ask(Retry(slot="A1"))
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.PASS


@pytest.mark.trio
async def test_counting_that_fails_is_tried_again(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        for error in (TypeError("a slip"), DatabaseError("locked")):
            with monkeypatch.context() as patch:
                failing(patch, "counts_since", error)
                await run.arm(target=7)
                await time_passes(10)
        run.plug("A1")
        await run.see("A1", *VERDICTS)
        await run.until(lambda: run.line.feed.line.counts.good == 1, timeout_s=30)
        await run.arm(target=8)  # another run
        assert run.line.feed.line.counts.good == 0


# --- whose verdict is it ----------------------------------------------------------------------


@pytest.mark.trio
async def test_no_verdict_stands_on_a_module_that_cannot_be_asked(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=2, faults={"A1": "no-return", "A2": "arrives-900e"})
    async with running(bench) as run:
        await run.arm(expect="none")
        run.plug("A1")
        first = await run.see("A1", S.AWAY)
        bench.backend.plug(bench.tray.ports["A1"], bench.tray.modules["A2"])
        second = await run.see("A1", S.STANDING)
        assert second.outcome is None
        assert second.imei != first.imei
        await time_passes(600)
        assert len(bench.recorded()) == 1


@pytest.mark.trio
async def test_a_return_that_shares_no_name_with_what_left_is_no_arrival(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, faults={"A1": "arrives-in-edl"})
    module = bench.tray.modules["A1"]
    module.traits = replace(module.traits, returns_after_flash=False)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.see("A1", S.DONE)
        await run.ask(Retry(slot="A1", recipe="ec25-demo"))
        await run.see("A1", S.AWAY)
        module.traits = replace(module.traits, arrival=Arrival.FLASH, returns_after_flash=True)
        run.plug("A1")  # in normal mode it tells its IMEI, of which nothing was known
        view = await run.see("A1", S.STANDING)
        assert view.imei == module.identity.imei
        await time_passes(600)
        assert len(bench.recorded()) == 2


@pytest.mark.trio
async def test_a_module_pulled_while_its_verdict_is_looked_up_leaves_an_empty_tile(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.see("A1", *VERDICTS)
    async with running(bench) as run:
        asked = slow(monkeypatch, "last_verdict", 1.0)
        await asked.wait()
        run.unplug("A1")
        await time_passes(10)
        view = run["A1"]
        assert (view.state, view.outcome, view.imei) == (S.EMPTY, None, None)


@pytest.mark.trio
async def test_modules_swapped_while_the_ports_could_not_be_seen(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path, slots=2)
    async with running(bench) as run:
        await run.arm(expect="none")
        run.plug("A1")
        await run.see("A1", *VERDICTS)

        async def blind() -> None:
            raise DatabaseError("no scan")

        with monkeypatch.context() as patch:
            patch.setattr(bench.backend, "scan", blind)
            run.unplug("A1")
            await time_passes(2)
            bench.backend.plug(bench.tray.ports["A1"], bench.tray.modules["A2"])
            await time_passes(3)
        view = await run.see("A1", S.STANDING)
        assert view.outcome is None
        assert view.imei == bench.tray.modules["A2"].identity.imei


# --- the next tray ----------------------------------------------------------------------------


@pytest.mark.trio
@pytest.mark.parametrize("fault", ["no-return", "unplug"])
async def test_a_dead_module_on_the_next_tray_is_missed_whatever_became_of_the_last(
    tmp_path: Path, tray_clock: object, fault: str
) -> None:
    bench = make_line(tmp_path, slots=3, faults={"A1": fault})
    slots = ("A1", "A2", "A3")
    async with running(bench) as run:
        await run.arm(expect="all")
        for slot in slots:
            run.plug(slot)
        for slot in slots:
            await run.see(slot, *VERDICTS)
        for slot in slots:
            run.unplug(slot)
        await time_passes(60)
        fresh = make_tray(run.line.world.settings.slots, family="ec25", seed=77, size_mb=2)
        for slot in ("A1", "A2"):
            bench.backend.plug(bench.tray.ports[slot], fresh.modules[slot])
        await run.see("A3", S.NO_USB, timeout_s=120)


# --- commands in the same moment --------------------------------------------------------------


@pytest.mark.trio
async def test_an_attempt_is_aborted_in_the_moment_it_begins(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        run.plug("A1")
        await run.see("A1", S.WAITING)
        await run.arm()
        assert run["A1"].state is S.IDENTIFYING
        run.line.places["A1"].abort(now=False, reason=BY_HAND)
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.ABORTED


@pytest.mark.trio
async def test_a_line_is_drained_in_the_moment_it_is_armed(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        run.plug("A1")
        await run.see("A1", S.WAITING)
        await run.arm()
        await run.line.drain()
        assert run["A1"].outcome is Outcome.ABORTED


@pytest.mark.trio
async def test_a_retry_that_is_answered_began_on_an_armed_line(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.see("A1", *VERDICTS)
        slow(monkeypatch, "add_event", 0.5)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run.ask, Disarm())
            await time_passes(0.1)
            with pytest.raises(Exception, match="not armed"):
                await run.ask(Retry(slot="A1"))
        assert run["A1"].state not in BUSY


@pytest.mark.trio
async def test_a_hold_counts_at_once_and_is_taken_back_if_it_cannot_be_recorded(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.see("A1", S.SETTLING)
        with monkeypatch.context() as patch:
            slow(patch, "add_event", 5.0)
            await run.ask(Hold(slot="A1", reason="bent pin"))
        assert run["A1"].state is S.HELD
        with pytest.raises(NotNow):
            await run.ask(Hold(slot="A1", reason="another"))
        failing(monkeypatch, "add_event", DatabaseError("locked"))
        await time_passes(60)
        assert run["A1"].failure is not None
        assert run["A1"].failure.cause == "bent pin"


@pytest.mark.trio
async def test_a_bad_database_keeps_nobody_from_stopping(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path, slots=2)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.see("A1", S.IDENTIFYING)
        failing(monkeypatch, "add_event", DatabaseError("locked"))
        await run.ask(Abort(slot="A1"))
        await run.ask(Disarm())
        assert run.line.state is LineState.DISARMED
        with pytest.raises(DatabaseError):
            await run.ask(Hold(slot="A2", reason="x"))
        assert run["A2"].state is S.EMPTY
        slow(monkeypatch, "add_event", 3600)
        with trio.fail_after(4000):
            await run.ask(Stop(now=True))
        assert run.line.stop.now.is_set()


# --- arming -----------------------------------------------------------------------------------


async def _choice(run: Running) -> RecipeChoice:
    await run.arm()
    assert run.line.armed is not None
    (loaded,) = run.line.armed.recipes
    return RecipeChoice(name=loaded.recipe.name, sha256=loaded.ref.sha256)


@pytest.mark.trio
async def test_what_would_refuse_every_module_is_not_armed(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        choice = await _choice(run)
        with pytest.raises(UsageError, match="twice"):
            await run.ask(Arm(recipes=(choice, choice), operator="maria"))
        with pytest.raises(LabelMismatch):
            await run.arm(label="TRAY-0042")
        await run.arm(label="EC25EFA-512-STD")
        run.plug("A1")
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.PASS


@pytest.mark.trio
async def test_a_module_that_waits_says_for_what(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        run.plug("A1")
        view = await run.see("A1", S.WAITING)
        assert view.failure is not None
        assert view.failure.code == "L601"
        with monkeypatch.context() as patch:
            patch.setattr(health, "_room", lambda _: "the disk is full")
            await time_passes(5)
            await run.arm()
            waits = run["A1"]
            assert waits.failure is not None
            assert (waits.state, waits.failure.code) == (S.WAITING, DiskTrouble.code)
            with pytest.raises(NotNow, match="full"):
                await run.ask(Retry(slot="A1"))
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.PASS
