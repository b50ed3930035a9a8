"""An operator in the way: modules pulled, exchanged, put into the wrong slot."""

from dataclasses import replace
from pathlib import Path

import pytest
import trio
import yaml

from station.flash.ladder import ASK_S
from station.live import SlotState as S
from station.live import SlotView
from station.model import Outcome
from station.sim.faults import Arrival, Traits
from station.sim.mishap import Mishap, What
from station.transport.base import RETURN_S
from station.wire import Snapshot
from tests.engine.line import Running, running
from tests.engine.tray import Line, code_of, make_line, no_breaches
from tests.mock_time import time_passes

pytestmark = pytest.mark.trio

VERDICTS = (S.DONE, S.AWAY, S.PULLED)
PUT_BACK_S = 30.0


def move(bench: Line, module: str, slot: str) -> None:
    """The module of this slot's name goes into a slot, which is empty or is emptied."""
    bench.backend.plug(bench.tray.ports[slot], bench.tray.modules[module])


async def writing(run: Running, *slots: str) -> None:
    for slot in slots:
        run.plug(slot)

    def is_written(slot: str) -> bool:
        return run[slot].step == "program" and run[slot].done_bytes > 0

    await run.until(lambda: all(map(is_written, slots)))


def imei_of(bench: Line, module: str) -> str:
    return bench.tray.modules[module].identity.imei


def do_not_wait(bench: Line) -> None:
    settings = yaml.safe_load(bench.config.read_text())
    settings["line"]["put_back_s"] = 0
    bench.config.write_text(yaml.safe_dump(settings))


async def waits_for_hand(run: Running, slot: str) -> SlotView:
    await run.until(lambda: run[slot].put_back_until_utc_us is not None, timeout_s=20)
    return run[slot]


# --- pulled out of the work -------------------------------------------------------------------


async def test_a_module_that_is_put_back_in_time_is_finished_in_the_same_attempt(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    with no_breaches(bench.tray):
        async with running(bench) as run:
            await run.arm()
            await writing(run, "A1")
            before_us = run.line.world.clock()
            run.unplug("A1")
            view = await waits_for_hand(run, "A1")
            assert view.state is S.FLASHING
            assert view.put_back_until_utc_us is not None
            assert 25e6 < view.put_back_until_utc_us - before_us < 32e6
            await time_passes(20)
            assert run["A1"].put_back_until_utc_us == view.put_back_until_utc_us
            run.plug("A1")
            await run.until(lambda: run["A1"].put_back_until_utc_us is None, timeout_s=20)
            assert (await run.see("A1", *VERDICTS)).outcome is Outcome.PASS, run["A1"].failure
    (record,) = bench.recorded()
    assert "recover" in [step.name for step in record.steps]


async def test_a_module_that_is_not_put_back_was_pulled_out(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        await run.arm()
        await writing(run, "A1")
        run.unplug("A1")
        began_s = trio.current_time()
        view = await run.see("A1", S.PULLED)
        assert PUT_BACK_S <= trio.current_time() - began_s < PUT_BACK_S + 30
        assert view.failure is not None
        assert (view.failure.code, view.put_back_until_utc_us) == ("U110", None)


async def test_another_module_in_its_place_is_not_written_by_its_attempt(
    tmp_path: Path, tray_clock: object
) -> None:
    """It is an arrival: refused, since nothing is known of a stranger in EDL."""
    bench = make_line(tmp_path, slots=2, faults={"A2": "arrives-in-edl"})
    async with running(bench) as run:
        await run.arm(expect="none")
        await writing(run, "A1")
        run.unplug("A1")
        await waits_for_hand(run, "A1")
        before = bench.fingerprint("A2")
        move(bench, "A2", "A1")
        await run.until(lambda: len(bench.recorded(slot="A1")) == 2)
        view = await run.see("A1", S.DONE)
        assert view.outcome is Outcome.BLOCKED
        assert bench.fingerprint("A2") == before
    pulled, refused = bench.recorded(slot="A1")
    assert (code_of(pulled), code_of(refused)) == ("U110", "D212")
    assert pulled.closed is not None
    assert pulled.closed.failure is not None
    assert "another is in its place" in pulled.closed.failure.cause


async def test_a_module_that_cannot_prove_who_it_is_is_not_written_on(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    bench.tray.modules["A1"].traits = Traits(serial_in_product=False, answers_commands=False)
    async with running(bench) as run:
        await run.arm()
        await writing(run, "A1")
        run.unplug("A1")
        await waits_for_hand(run, "A1")
        before = bench.fingerprint("A1")
        run.plug("A1")
        await run.until(lambda: bench.recorded()[0].closed is not None)
        assert bench.fingerprint("A1") == before
    assert code_of(bench.recorded()[0]) == "U110"


NAMELESS = {"serial_in_product": False, "answers_commands": False}
STRANGERS = {
    "a programmer that shows another chip serial": Traits(arrival=Arrival.PROGRAMMER),
    "no chip serial": Traits(arrival=Arrival.EDL, **NAMELESS),  # type: ignore[arg-type]  # flags
    "another variant": Traits(arrival=Arrival.EDL, other_variant=True, **NAMELESS),  # type: ignore[arg-type]  # flags
    "a chip serial by command": Traits(arrival=Arrival.EDL, serial_in_product=False),
}


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_another_module_is_not_written_after_a_cycle_of_the_power(
    tmp_path: Path, tray_clock: object, stranger: str
) -> None:
    """The slot was empty when its power went off: whoever is there then came by a hand."""
    bench = make_line(tmp_path, slots=2)
    bench.switch_power()
    bench.tray.modules["A2"].traits = STRANGERS[stranger]
    before = bench.fingerprint("A2")
    async with running(bench) as run:
        await run.arm(expect="none")
        await writing(run, "A1")
        run.unplug("A1")
        await run.until(lambda: run["A1"].step == "recover")
        await time_passes(12)
        move(bench, "A2", "A1")
        await run.until(lambda: bench.recorded(slot="A1")[0].closed is not None)
        assert bench.fingerprint("A2") == before
    pulled = bench.recorded(slot="A1")[0]
    assert code_of(pulled) == "U110"
    rungs = [step.detail["rung"] for step in pulled.steps if step.name == "recover"]
    assert "cycle the power" in rungs


async def test_a_hand_has_its_time_after_a_cycle_of_the_power_too(
    tmp_path: Path, tray_clock: object
) -> None:
    """And what the screen counts down to is when it is over."""
    bench = make_line(tmp_path)
    bench.switch_power()
    async with running(bench) as run:
        await run.arm()
        await writing(run, "A1")
        run.unplug("A1")
        began_s = trio.current_time()
        promised: dict[int, float] = {}

        def is_over() -> bool:
            if (until_us := run["A1"].put_back_until_utc_us) is not None:
                left_s = (until_us - run.line.world.clock()) / 1_000_000
                promised.setdefault(until_us, trio.current_time() + left_s)
            return run["A1"].state is S.PULLED

        await run.until(is_over)
        assert trio.current_time() - began_s > RETURN_S + PUT_BACK_S
        assert trio.current_time() == pytest.approx(list(promised.values())[-1], abs=10)
    steps = bench.recorded()[0].steps
    (by_hand,) = [s for s in steps if s.detail.get("rung") == "wait for it to be put back"]
    assert by_hand.duration_us >= 0.9 * PUT_BACK_S * 1_000_000


async def calls(run: Running) -> list[str]:
    """What the log asks a hand for."""
    with run.line.feed.subscribe() as screen:
        (snapshot,) = await screen.take()
    assert isinstance(snapshot, Snapshot)
    return [line.text for line in snapshot.log if "put it back" in line.text]


async def test_nobody_is_asked_for_a_contact_that_heals_by_itself(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    bench.befall("A1", Mishap(What.CONTACT, "program", after=3))
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.PASS, run["A1"].failure
        assert await calls(run) == []
    (record,) = bench.recorded()
    assert "recover" in [step.name for step in record.steps]


async def test_a_hand_is_asked_for_once_and_when_it_stays_away(
    tmp_path: Path, tray_clock: object
) -> None:
    """The end of its time is that of a call at once, and the words hold where nobody pulled."""
    bench = make_line(tmp_path)
    bench.switch_power()

    def clock() -> int:
        return round(trio.current_time() * 1_000_000)

    async with running(bench, clock=clock) as run:
        await run.arm()
        await writing(run, "A1")
        run.unplug("A1")
        await run.until_step("A1", "recover")
        began_us = clock()
        view = await waits_for_hand(run, "A1")
        assert 0 <= clock() - began_us - ASK_S * 1e6 < 1.1e6  # looked at each second
        assert view.put_back_until_utc_us is not None
        assert view.put_back_until_utc_us - began_us == pytest.approx(PUT_BACK_S * 1e6, abs=1e5)
        await run.see("A1", S.PULLED)
        assert await calls(run) == ["left slot A1: put it back if it was pulled out"]


async def test_nobody_is_asked_where_nobody_is_waited_for(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    bench.switch_power()
    do_not_wait(bench)
    async with running(bench) as run:
        await run.arm()
        await writing(run, "A1")
        run.unplug("A1")
        await run.see("A1", S.PULLED)
        assert await calls(run) == []


# --- in another slot --------------------------------------------------------------------------


@pytest.mark.parametrize("waits", [False, True], ids=["at once", "with a time to put it back"])
async def test_a_module_put_into_another_slot_in_mid_work_is_written_there(
    tmp_path: Path, tray_clock: object, waits: bool
) -> None:
    bench = make_line(tmp_path, slots=2)
    if not waits:
        do_not_wait(bench)
    async with running(bench) as run:
        await run.arm(expect="none")
        await writing(run, "A1")
        run.unplug("A1")
        await time_passes(1)
        move(bench, "A1", "A2")
        pulled = await run.see("A1", S.PULLED)
        assert pulled.failure is not None
        assert pulled.failure.cause.endswith("it is in slot A2 now")
        assert (await run.see("A2", *VERDICTS)).outcome is Outcome.PASS, run["A2"].failure
    (there,) = bench.recorded(slot="A2")
    assert there.opened.unit.imei == imei_of(bench, "A1")
    assert there.opened.trigger == "arrival"


async def test_a_module_that_leaves_again_while_it_waits_was_pulled_out(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=2)
    async with running(bench) as run:
        await run.arm(expect="none")
        await writing(run, "A1")
        run.unplug("A1")
        await waits_for_hand(run, "A1")
        move(bench, "A1", "A2")
        await run.see("A2", S.IDENTIFYING)
        await time_passes(3)
        run.unplug("A2")
        move(bench, "A1", "A1")
        assert (await run.see("A2", *VERDICTS)).state is S.PULLED
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.PASS
    assert [code_of(record) for record in bench.recorded(slot="A2")] == ["U110"]


async def test_two_modules_exchanged_in_mid_work_are_each_written_where_they_are(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=2)
    async with running(bench) as run:
        await run.arm(expect="none")
        await writing(run, "A1", "A2")
        run.unplug("A1")
        await time_passes(0.6)  # both at once would be their hub's failure
        run.unplug("A2")
        await waits_for_hand(run, "A1")
        await waits_for_hand(run, "A2")
        move(bench, "A1", "A2")
        move(bench, "A2", "A1")
        await run.until(lambda: len(bench.recorded()) == 4 and run.line.is_idle)
        outcomes = [run[slot].outcome for slot in ("A1", "A2")]
        assert all(outcome is not None and outcome.is_good for outcome in outcomes), outcomes
        assert [run[slot].imei for slot in ("A1", "A2")] == [
            imei_of(bench, "A2"),
            imei_of(bench, "A1"),
        ]


# --- exchanged while nothing is done ----------------------------------------------------------


@pytest.mark.parametrize("quick", [False, True])
async def test_modules_exchanged_while_they_wait_are_flashed_as_who_they_are(
    tmp_path: Path, tray_clock: object, quick: bool
) -> None:
    bench = make_line(tmp_path, slots=2)
    async with running(bench) as run:
        for slot in ("A1", "A2"):
            run.plug(slot)
            await run.see(slot, S.WAITING)
        if not quick:
            run.unplug("A1")
            run.unplug("A2")
            await run.see("A1", S.EMPTY)
            await run.see("A2", S.EMPTY)
        move(bench, "A1", "A2")
        move(bench, "A2", "A1")
        await run.arm()
        for slot, module in (("A1", "A2"), ("A2", "A1")):
            await run.until(lambda slot=slot: run[slot].outcome is not None)  # type: ignore[misc]  # bound now
            assert (run[slot].outcome, run[slot].imei) == (Outcome.PASS, imei_of(bench, module))
    assert len(bench.recorded()) == 2


async def test_verdicts_go_with_the_modules_that_are_exchanged(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=2, faults={"A2": "old-version"})
    async with running(bench) as run:
        await run.arm()
        for slot in ("A1", "A2"):
            run.plug(slot)
        for slot in ("A1", "A2"):
            await run.see(slot, *VERDICTS)
        move(bench, "A1", "A2")
        move(bench, "A2", "A1")
        for slot, module in (("A1", "A2"), ("A2", "A1")):
            await run.until(
                lambda slot=slot, module=module: run[slot].imei == imei_of(bench, module)  # type: ignore[misc]  # bound now
            )
        passed = await run.see("A2", S.DONE)
        assert passed.earlier is not None
        assert (passed.earlier.outcome, passed.earlier.slot) == (Outcome.PASS, "A1")
        failed = await run.see("A1", S.DONE)
        assert failed.outcome is Outcome.FAIL
        await time_passes(600)
        assert len(bench.recorded()) == 2, "nothing was flashed anew"


async def test_a_tray_that_is_taken_out_leaves_empty_tiles_and_its_verdicts_on_record(
    tmp_path: Path, tray_clock: object
) -> None:
    slots = ("A1", "A2", "A3")
    bench = make_line(tmp_path, slots=3, faults={"A2": "nak", "A3": "no-return"})
    async with running(bench) as run:
        await run.arm()
        for slot in slots:
            run.plug(slot)
        for slot in slots:
            await run.see(slot, *VERDICTS)
        for slot in slots:
            run.unplug(slot)
        await run.see("A1", S.EMPTY)
        await run.see("A2", S.EMPTY)
        assert run["A3"].state is S.AWAY, "nobody saw it go: a person says so"
        for slot in ("A1", "A2"):
            view = run[slot]
            assert (view.outcome, view.failure, view.imei, view.steps) == (None, None, None, ())
        for slot in slots:
            move(bench, slot, slots[(slots.index(slot) + 1) % 3])
        await run.until(lambda: run["A2"].outcome is Outcome.NO_CHANGE)
    assert [code_of(bench.recorded(slot=slot)[0]) for slot in slots] == [None, "P112", "D206"]


async def test_the_same_identity_twice_is_refused_and_the_first_is_finished(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=2)
    twin = bench.tray.modules["A2"]
    twin.identity = bench.tray.modules["A1"].identity
    before = bench.fingerprint("A2")
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.until(lambda: run.line.places["A1"].is_writing)
        run.plug("A2")
        refused = await run.see("A2", *VERDICTS)
        assert refused.failure is not None
        assert (refused.outcome, refused.failure.code) == (Outcome.BLOCKED, "D216")
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.PASS
        run.unplug("A1")
        await run.see("A1", S.EMPTY)
        run.unplug("A2")
        await run.see("A2", S.EMPTY)
        twin.traits = replace(twin.traits, arrival=Arrival.FLASH)
        run.plug("A2")
        assert (await run.see("A2", *VERDICTS)).outcome is Outcome.PASS
    assert bench.fingerprint("A2") != before
