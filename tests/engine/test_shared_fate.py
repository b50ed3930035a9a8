"""A hub that fails, a slot in which all fails, a line that spoils units: on simulated trays."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import trio
import yaml

from station.config import load_settings
from station.engine.fate import FRESH_S
from station.errors import DatabaseError, NotNow, SlotOut, UsageError, UsbBroken
from station.live import SlotState as S
from station.live import SlotView
from station.model import Mode, Outcome, StationEvent, StepStarted
from station.sim.backend import SimBackend, SimPipe
from station.sim.layouts import layout_of
from station.sim.tray import make_tray
from station.store import database
from station.store.events import find_events
from station.store.writer import Store, now_utc_us
from station.wire import Hold, Lift, Release, Retry, parse_command
from tests.engine.line import Running, running
from tests.engine.tray import Line, by_slot, code_of, make_line
from tests.mock_time import time_passes
from tests.store.samples import stranger

VERDICTS = (S.DONE, S.AWAY, S.PULLED)
HUB_1, HUB_2 = ("A1", "A2", "A3", "A4"), ("B1", "B2")
BREAKER = {"window": 4, "minimum": 3, "yield_percent": 80}


def two_hubs(folder: Path) -> Line:
    """Four slots on one hub, two on another; the ports have companions, as USB 3 sockets do."""
    return line_on(
        folder,
        {
            **{slot: f"1.{n}" for n, slot in enumerate(HUB_1, 1)},
            **{slot: f"2.{n}" for n, slot in enumerate(HUB_2, 1)},
        },
    )


def line_on(folder: Path, chains: Mapping[str, str]) -> Line:
    """Slots on these ports of a controller and of its companion."""
    bench = make_line(folder, slots=1)
    ports = {slot: {"ports": [f"1-{chain}", f"2-{chain}"]} for slot, chain in chains.items()}
    edit_settings(bench, slots=ports)
    slots = load_settings(bench.config).slots
    tray = make_tray(slots, version=layout_of("ec25").older_version, seed=2, size_mb=6)
    return Line(folder, tray, SimBackend(tuple(tray.ports.values())))


def edit_settings(bench: Line, **sections: object) -> None:
    settings = yaml.safe_load(bench.config.read_text(encoding="utf-8"))
    bench.config.write_text(yaml.safe_dump(settings | sections), encoding="utf-8")


def events(bench: Line, *kinds: str) -> list[StationEvent]:
    found = find_events(load_settings(bench.config).database)
    return [event for event in found if event.kind in kinds]


def alarms(run: Running) -> dict[str, str]:
    return {alarm.code: alarm.cause for alarm in run.line.feed.line.alarms}


async def all_write(run: Running, slots: Iterable[str]) -> None:
    """From here on a loss is nobody's plan."""
    for slot in slots:
        run.plug(slot)
    places = [run.line.places[slot] for slot in slots]
    await run.until(lambda: all(place.is_writing for place in places))


async def two_are_pulled(run: Running) -> list[SlotView]:
    """Out of the work, in the same moment, by two hands; they say so."""
    await all_write(run, HUB_1)
    run.unplug("A1")
    run.unplug("A2")
    pulled = [await run.see(slot, *VERDICTS) for slot in ("A1", "A2")]
    assert [view.failure and view.failure.code for view in pulled] == ["U110", "U110"]
    return pulled


# --- hubs -------------------------------------------------------------------------------------


@pytest.mark.trio
async def test_modules_lost_with_their_hub_are_errors_and_the_other_hub_goes_on(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = two_hubs(tmp_path)
    async with running(bench) as run:
        await run.arm()
        await all_write(run, (*HUB_1, *HUB_2))
        for slot in HUB_1:
            run.unplug(slot)
        for slot in HUB_1:
            view = await run.see(slot, *VERDICTS)
            assert view.state is S.AWAY
            assert view.outcome is Outcome.ERROR
            assert view.failure is not None
            assert view.failure.code == "U130"
            assert view.failure.retryable
            assert "hub at 1-1 failed: A1, A2, A3, A4 were lost at once" in view.failure.cause
        await run.until(lambda: "U130" in alarms(run))
        assert alarms(run)["U130"] == "the hub at 1-1 failed: A1, A2, A3, A4 were lost at once"
        for slot in HUB_2:
            assert (await run.see(slot, *VERDICTS)).outcome is Outcome.PASS

        for slot in HUB_1[:-1]:
            run.plug(slot)
            await run.see(slot, S.DONE, S.STANDING)
        assert "U130" in alarms(run)
        run.plug(HUB_1[-1])
        await run.until(lambda: "U130" not in alarms(run))
    (event,) = events(bench, "hub_failure")
    assert event.detail == {"hub": "1-1", "slots": "A1, A2, A3, A4"}
    assert event.actor is None


@pytest.mark.trio
async def test_a_hub_that_fails_piece_by_piece_is_one_failure(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = two_hubs(tmp_path)
    async with running(bench) as run:
        await run.arm()
        await all_write(run, HUB_1)
        for slot in HUB_1:
            run.unplug(slot)
            await time_passes(0.2)
        views = [await run.see(slot, *VERDICTS) for slot in HUB_1]
        assert [view.failure and view.failure.code for view in views] == ["U130"] * 4
    (event,) = events(bench, "hub_failure")
    assert event.detail["slots"] == "A1, A2, A3, A4"


@pytest.mark.trio
async def test_a_hub_above_hubs_fails_and_no_module_on_a_hub_of_its_own_is_blamed(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = line_on(
        tmp_path, {**{slot: f"1.{n}.1" for n, slot in enumerate(HUB_1, 1)}, "B1": "2.1"}
    )
    async with running(bench) as run:
        await run.arm()
        await all_write(run, (*HUB_1, "B1"))
        for slot in HUB_1:
            run.unplug(slot)
        cause = "the hub at 1-1 failed: A1, A2, A3, A4 were lost at once"
        for slot in HUB_1:
            view = await run.see(slot, *VERDICTS)
            assert view.outcome is Outcome.ERROR
            assert view.failure is not None
            assert (view.failure.code, view.failure.cause) == ("U130", cause)
        await run.until(lambda: "U130" in alarms(run))
        assert alarms(run)["U130"] == cause
        assert (await run.see("B1", *VERDICTS)).outcome is Outcome.PASS
    (event,) = events(bench, "hub_failure")
    assert event.detail == {"hub": "1-1", "slots": "A1, A2, A3, A4"}


@pytest.mark.trio
async def test_two_hands_at_two_hubs_are_no_controller(tmp_path: Path, tray_clock: object) -> None:
    bench = line_on(tmp_path, {slot: f"{n}.1" for n, slot in enumerate(HUB_1, 1)})
    async with running(bench) as run:
        await run.arm()
        await two_are_pulled(run)
    assert events(bench, "hub_failure") == []


@pytest.mark.trio
async def test_a_hub_that_is_back_at_once_costs_no_verdict(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = two_hubs(tmp_path)
    async with running(bench) as run:
        await run.arm()
        await all_write(run, HUB_1)
        for slot in HUB_1:
            run.unplug(slot)
        await time_passes(0.3)
        for slot in HUB_1:
            run.plug(slot)
        views = [await run.see(slot, *VERDICTS) for slot in HUB_1]
        assert [view.outcome for view in views] == [Outcome.PASS] * 4
        assert "U130" not in alarms(run)
    assert events(bench, "hub_failure") == []


@pytest.mark.trio
async def test_a_hub_that_garbles_before_it_is_gone_is_to_blame_for_that_too(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first failure comes before the first loss, and its module is lost before the others."""
    bench = two_hubs(tmp_path)
    is_broken, check_open = trio.Event(), SimPipe._check_open

    def check(self: SimPipe, doing: str) -> None:
        if is_broken.is_set() and self._place.startswith("1-1.1 "):
            raise UsbBroken("a transfer was garbled")
        check_open(self, doing)

    monkeypatch.setattr(SimPipe, "_check_open", check)
    async with running(bench) as run:
        await run.arm()
        await all_write(run, HUB_1)
        await run.until(lambda: run["A1"].step == "program")
        is_broken.set()
        for pause_s, slot in zip((0.2, 0.2, 0.1, 0.1), HUB_1, strict=True):
            await time_passes(pause_s)
            run.unplug(slot)
        views = [await run.see(slot, *VERDICTS) for slot in HUB_1]
        assert [view.failure and view.failure.code for view in views] == ["U130"] * 4
    (record,) = bench.recorded(slot="A1")
    assert "U107" in str(record.steps[-1].detail["failure"])


@pytest.mark.trio
async def test_a_wire_that_is_garbled_alone_is_told_as_that(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path, slots=1)

    async def garble(self: SimPipe, *_: object, **__: object) -> None:
        raise UsbBroken("a transfer was garbled")

    monkeypatch.setattr(SimPipe, "write_span", garble)
    assert code_of(by_slot(await bench.flash())["A1"]) == "U107"


@pytest.mark.trio
async def test_two_hands_that_pull_two_modules_are_two_modules_pulled_out(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = two_hubs(tmp_path)
    async with running(bench) as run:
        await run.arm()
        pulled = await two_are_pulled(run)
        assert [view.outcome for view in pulled] == [Outcome.FAIL, Outcome.FAIL]
        assert [view.state for view in pulled] == [S.PULLED, S.PULLED]
        for slot in ("A3", "A4"):
            assert (await run.see(slot, *VERDICTS)).outcome is Outcome.PASS
        assert "U130" not in alarms(run)
    assert events(bench, "hub_failure") == []


@pytest.mark.trio
async def test_a_tray_that_is_switched_and_restarted_at_once_alarms_nobody(
    tmp_path: Path, tray_clock: object
) -> None:
    """All modules leave for EDL in the same moment, and come back from their reset in another."""
    bench = two_hubs(tmp_path)
    async with running(bench) as run:
        await run.arm()
        for slot in HUB_1:
            run.plug(slot)
        for slot in HUB_1:
            assert (await run.see(slot, *VERDICTS)).outcome is Outcome.PASS
        for slot in HUB_1:  # and a finished tray is lifted out
            run.unplug(slot)
        await time_passes(60)
        assert "U130" not in alarms(run)
    assert events(bench, "hub_failure") == []


@pytest.mark.trio
async def test_a_module_in_its_reset_is_lost_with_the_hub_too(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = two_hubs(tmp_path)
    async with running(bench) as run:
        await run.arm()
        run.plug("A4")
        await run.until(lambda: run["A4"].step == "verify")
        await all_write(run, HUB_1[:-1])
        await run.until(lambda: run["A4"].step == "confirm")
        await run.until(lambda: run.line.places["A4"].port.device is None)
        for slot in HUB_1:
            run.unplug(slot)
        view = await run.see("A4", *VERDICTS)
        assert view.failure is not None
        assert view.failure.code == "U130"


@pytest.mark.trio
async def test_a_hub_that_fails_in_a_tray_flashed_once(tmp_path: Path, tray_clock: object) -> None:
    bench = two_hubs(tmp_path)
    writing: set[str] = set()

    def watch(event: object) -> None:
        if isinstance(event, StepStarted) and event.step == "program":
            writing.add(event.slot)
            if writing >= set(HUB_1):
                for slot in HUB_1:
                    bench.unplug(slot)
                writing.clear()

    bench.tell = watch
    records = by_slot(await bench.flash())
    assert [code_of(records[slot]) for slot in HUB_1] == ["U130"] * 4
    assert [code_of(records[slot]) for slot in HUB_2] == [None, None]
    for slot in HUB_1:
        closed = records[slot].closed
        assert closed is not None
        assert closed.outcome is Outcome.ERROR
        assert closed.final_mode is Mode.ABSENT
    assert len(events(bench, "hub_failure")) == 1


@pytest.mark.trio
async def test_the_alarm_of_a_hub_is_lifted_by_an_engineer(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = two_hubs(tmp_path)
    async with running(bench) as run:
        await run.arm()
        await all_write(run, HUB_1)
        for slot in HUB_1:
            run.unplug(slot)
        await run.until(lambda: "U130" in alarms(run))
        await run.ask(Lift(by="eva", reason="hub replaced, its modules are in the bin"))
        assert "U130" not in alarms(run)
        await time_passes(FRESH_S + 60)
        assert "U130" not in alarms(run)
    (event,) = events(bench, "hub_lifted")
    assert (event.actor, event.peer_user) == ("eva", "maria")
    assert event.detail == {"reason": "hub replaced, its modules are in the bin"}


# --- slots ------------------------------------------------------------------------------------


async def fail_in_a1(run: Running, *modules: str) -> SlotView:
    """Put these modules into A1, one after the other; what the slot shows at last."""
    port = run.bench.tray.ports["A1"]
    for name in modules:
        run.bench.backend.plug(port, run.bench.tray.modules[name])
        await run.see("A1", S.FLASHING)
        await run.see("A1", *VERDICTS, S.HELD)
        run.unplug("A1")
        await run.see("A1", S.EMPTY, S.HELD)
    return run["A1"]


FOUR_BAD = {f"A{n}": "nak" for n in range(1, 5)}


@pytest.mark.trio
async def test_three_units_that_fail_in_a_row_take_their_slot_out_even_over_a_restart(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=5, faults=FOUR_BAD)
    async with running(bench) as run:
        await run.arm()
        out = await fail_in_a1(run, "A1", "A2", "A3")
        assert out.state is S.HELD
        assert out.failure is not None
        assert out.failure.code == "L631"
        assert out.failure.cause == "3 failures in a row, last FAIL P112 " + str(
            bench.recorded()[-1].closed.failure.headline  # type: ignore[union-attr]  # it failed
        )
        await run.until(lambda: events(bench, "taken_out") != [])
        run.plug("A5")
        assert (await run.see("A5", *VERDICTS)).outcome is Outcome.PASS

    async with running(bench) as run:
        await run.arm()
        assert run["A1"].failure == out.failure
        bench.backend.plug(bench.tray.ports["A1"], bench.tray.modules["A4"])
        with pytest.raises(SlotOut):
            await run.ask(Release(slot="A1", by="maria"))
        with pytest.raises(NotNow):
            await run.ask(Retry(slot="A1"))
        with pytest.raises(NotNow):
            await run.ask(Lift(slot="A2", by="eva", reason="why not"))
        with pytest.raises(NotNow):
            await run.ask(Lift(by="eva", reason="the line is not stopped"))
        await time_passes(600)
        assert run["A1"].state is S.HELD

        await run.ask(Lift(slot="A1", by="eva", reason="connector replaced"))
        await run.see("A1", S.STANDING)
    (event,) = events(bench, "slot_lifted")
    assert (event.actor, event.peer_uid, event.peer_user) == ("eva", 1000, "maria")
    assert (event.slot, event.detail) == ("A1", {"reason": "connector replaced"})
    assert events(bench, "release", "breaker_lifted") == []
    assert len(bench.recorded(slot="A1")) == 3

    async with running(bench) as run:
        assert run["A1"].state is not S.HELD


@pytest.mark.trio
async def test_a_clock_that_was_set_back_hides_no_failure_in_a_slot(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=4, faults=FOUR_BAD)
    edit_settings(bench, line={"slot_failures": 2})
    async with running(bench) as run:
        await run.arm()
        assert (await fail_in_a1(run, "A1", "A2")).state is S.HELD
        await run.ask(Lift(slot="A1", by="eva", reason="connector replaced"))
    async with running(bench, clock=two_hours_ago) as run:
        await run.arm()
        assert (await fail_in_a1(run, "A3")).state is S.EMPTY
    async with running(bench, clock=two_hours_ago) as run:
        await run.arm()
        assert (await fail_in_a1(run, "A4")).state is S.HELD


def two_hours_ago() -> int:
    return now_utc_us() - 2 * 3600 * 1_000_000


@pytest.mark.trio
async def test_a_bad_slot_that_is_held_is_taken_out_when_it_is_released(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its results waited, as its neighbour's: that one is shown and counted all the same."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.01)
    bench = make_line(tmp_path, slots=3, faults={"A1": "nak", "A3": "nak"})
    edit_settings(bench, line={"slot_failures": 2})
    async with running(bench) as run:
        await run.arm()
        await fail_in_a1(run, "A1")
        bench.backend.plug(bench.tray.ports["A1"], bench.tray.modules["A3"])
        run.plug("A2")
        await run.until(lambda: all(run.line.places[slot].is_writing for slot in ("A1", "A2")))
        with stranger(bench.settings().database) as somebody:
            somebody.execute("BEGIN IMMEDIATE")
            for slot in ("A1", "A2"):
                assert (await run.see(slot, *VERDICTS)).outcome is None
            run.line.places["A1"].hold("cleaning")
        await run.until(lambda: run["A2"].outcome is Outcome.PASS, 60)
        assert not any("X901" in entry.text for entry in run.line.feed._log.lines)
        assert run["A1"].failure is not None
        assert (run["A1"].failure.code, run["A1"].failure.cause) == ("L613", "cleaning")
        assert events(bench, "taken_out") == []

        await run.ask(Release(slot="A1"))
        await run.until(lambda: run.line.places["A1"].is_taken_out)
        await run.until(lambda: events(bench, "taken_out") != [])
    async with running(bench) as run:
        assert run.line.places["A1"].is_taken_out


@pytest.mark.trio
async def test_one_record_that_stumbles_costs_no_other_its_tile(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.01)
    bench = make_line(tmp_path, slots=2)
    async with running(bench) as run:
        await run.arm()
        await all_write(run, ("A1", "A2"))
        with stranger(bench.settings().database) as somebody:
            somebody.execute("BEGIN IMMEDIATE")
            for slot in ("A1", "A2"):
                assert (await run.see(slot, *VERDICTS)).outcome is None
            first, other = sorted(("A1", "A2"), key=lambda slot: run[slot].since_utc_us)
            monkeypatch.setattr(run.line.places[first], "recorded", lambda _: 1 / 0)
        await run.until(lambda: run[other].outcome is Outcome.PASS, 60)


@pytest.mark.trio
async def test_failures_in_a_row_are_those_before_a_restart_too(
    tmp_path: Path, tray_clock: object
) -> None:
    """Up to where the slot was let in again; a good verdict ends them as ever."""
    bench = make_line(tmp_path, slots=5, faults=FOUR_BAD)
    edit_settings(bench, line={"slot_failures": 2})
    for modules, state in ((("A1", "A5"), S.EMPTY), (("A2",), S.EMPTY), (("A3",), S.HELD)):
        async with running(bench) as run:
            await run.arm()
            assert (await fail_in_a1(run, *modules)).state is state
    async with running(bench) as run:
        await run.ask(Lift(slot="A1", by="eva", reason="connector replaced"))
        assert run["A1"].state is S.EMPTY
    async with running(bench) as run:
        await run.arm()
        assert (await fail_in_a1(run, "A4")).state is S.EMPTY
    assert len(events(bench, "taken_out")) == 1


@pytest.mark.trio
async def test_a_slot_that_was_bad_when_its_engine_died_is_out_at_the_next_start(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path, slots=4, faults=FOUR_BAD)
    edit_settings(bench, line={"slot_failures": 2})

    async def refuse(self: Store, event: StationEvent) -> None:
        raise DatabaseError("the disk is full")

    async with running(bench) as run:
        await run.arm()
        with monkeypatch.context() as patched:
            patched.setattr(Store, "add_event", refuse)
            assert (await fail_in_a1(run, "A1", "A2")).state is S.HELD
    assert events(bench, "taken_out") == []
    async with running(bench) as run:
        assert run["A1"].failure is not None
        assert run["A1"].failure.code == "L631"
        await run.until(lambda: events(bench, "taken_out") != [])


@pytest.mark.trio
async def test_a_unit_that_is_tried_again_and_again_takes_no_slot_out(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, faults={"A1": "nak"})
    async with running(bench) as run:
        await run.arm()
        assert (await fail_in_a1(run, "A1", "A1", "A1", "A1")).state is S.EMPTY
    assert events(bench, "taken_out") == []


@pytest.mark.trio
async def test_a_persons_hold_is_released_not_lifted(tmp_path: Path, tray_clock: object) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        await run.ask(Hold(slot="A1", reason="cleaning", by="maria"))
        with pytest.raises(NotNow):
            await run.ask(Lift(slot="A1", by="eva", reason="clean"))
        await run.ask(Release(slot="A1"))
        assert run["A1"].state is S.EMPTY


@pytest.mark.trio
async def test_what_cannot_be_recorded_is_not_lifted(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path, slots=3, faults={"A1": "nak"})
    edit_settings(bench, line={"slot_failures": 2, "breaker": None})
    async with running(bench) as run:
        run.line.places["A1"].take_out("2 failures in a row")

        async def refuse(self: Store, event: StationEvent) -> None:
            raise DatabaseError("the disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(Store, "add_event", refuse)
            with pytest.raises(DatabaseError):
                await run.ask(Lift(slot="A1", by="eva", reason="mended"))
        assert run["A1"].state is S.HELD


# --- the line ---------------------------------------------------------------------------------


async def trip(run: Running) -> None:
    for slot in ("A1", "A2", "A3"):
        run.plug(slot)
    for slot in ("A1", "A2", "A3"):
        await run.see(slot, *VERDICTS)
    await run.until(lambda: "L630" in alarms(run))


@pytest.mark.trio
async def test_a_line_that_spoils_units_stops_until_an_engineer_lifts_it_even_over_a_restart(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(
        tmp_path, slots=4, faults={"A1": "nak", "A2": "nak", "A3": "wrong-programmer"}
    )
    edit_settings(bench, line={"breaker": BREAKER})
    why = "0 of the last 3 units are good, 0 % where 80 % are wanted: P112 x 2, D203 x 1"
    async with running(bench) as run:
        await run.arm()
        await trip(run)
        assert alarms(run)["L630"] == why
        await run.until(lambda: events(bench, "breaker_tripped") != [])
        with pytest.raises(NotNow, match="0 of the last 3 units"):
            await run.ask(Retry(slot="A1"))
        for slot in ("A1", "A2", "A3"):
            run.unplug(slot)

    async with running(bench) as run:
        assert alarms(run)["L630"] == why
        await run.arm()
        run.plug("A4")
        waiting = await run.see("A4", S.WAITING)
        assert waiting.failure is not None
        assert (waiting.failure.code, waiting.failure.cause) == ("L630", why)
        await time_passes(3600)
        assert run["A4"].state is S.WAITING
        for line in (
            b'{"do":"lift","by":"eva","reason":" "}',
            b'{"do":"lift","by":"eva"}',
            b'{"do":"lift","by":"","reason":"new cables"}',
            b'{"do":"lift","reason":"new cables"}',
        ):
            with pytest.raises(UsageError):
                await run.ask(parse_command(line))
        assert run["A4"].state is S.WAITING

        await run.ask(Lift(by="eva", reason="right package loaded"))
        assert "L630" not in alarms(run)
        assert (await run.see("A4", *VERDICTS)).outcome is Outcome.PASS
    (event,) = events(bench, "breaker_lifted")
    assert (event.actor, event.peer_uid, event.peer_user) == ("eva", 1000, "maria")
    assert event.detail == {"reason": "right package loaded"}
    (event,) = events(bench, "breaker_tripped")
    assert event.detail == {"cause": why}

    async with running(bench) as run:
        assert "L630" not in alarms(run)


@pytest.mark.trio
async def test_verdicts_before_a_restart_count_and_those_before_a_lift_do_not(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=4, faults=FOUR_BAD)
    edit_settings(bench, line={"breaker": BREAKER})
    for slot in ("A1", "A2"):
        async with running(bench) as run:
            await run.arm()
            run.plug(slot)
            await run.see(slot, *VERDICTS)
            assert "L630" not in alarms(run)
            run.unplug(slot)
    async with running(bench) as run:
        await run.arm()
        run.plug("A3")
        await run.until(lambda: "L630" in alarms(run))
        await run.ask(Lift(by="eva", reason="new cables"))
        run.plug("A4")
        await run.see("A4", *VERDICTS)
    async with running(bench) as run:
        assert "L630" not in alarms(run)


@pytest.mark.trio
async def test_a_clock_that_was_set_back_hides_no_failure_of_the_line(
    tmp_path: Path, tray_clock: object
) -> None:
    bad = tuple(f"A{number}" for number in range(1, 7))
    bench = make_line(tmp_path, slots=6, faults=dict.fromkeys(bad, "nak"))
    edit_settings(bench, line={"breaker": BREAKER})
    async with running(bench) as run:
        await run.arm()
        for slot in bad[:3]:
            run.plug(slot)
        await run.until(lambda: "L630" in alarms(run))
        for slot in bad[:3]:
            await run.see(slot, *VERDICTS)
            run.unplug(slot)
        await run.ask(Lift(by="eva", reason="new cables"))
    for slots, is_stopped in ((bad[3:5], False), (bad[5:], True)):
        async with running(bench, clock=two_hours_ago) as run:
            assert "L630" not in alarms(run)
            await run.arm()
            for slot in slots:
                run.plug(slot)
                await run.see(slot, *VERDICTS)
                run.unplug(slot)
            await time_passes(10)
            assert ("L630" in alarms(run)) is is_stopped


@pytest.mark.trio
async def test_a_stop_lets_finish_what_runs(tmp_path: Path, tray_clock: object) -> None:
    bench = make_line(
        tmp_path, slots=4, faults=dict.fromkeys(("A1", "A2", "A3"), "wrong-programmer")
    )
    edit_settings(bench, line={"breaker": BREAKER})
    async with running(bench) as run:
        await run.arm()
        await all_write(run, ("A4",))
        await trip(run)
        assert run["A4"].state.is_busy
        assert (await run.see("A4", *VERDICTS)).outcome is Outcome.PASS


@pytest.mark.trio
async def test_a_stop_that_was_not_recorded_is_recorded_later(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path, slots=3, faults=dict(list(FOUR_BAD.items())[:3]))
    edit_settings(bench, line={"breaker": BREAKER})
    add_event = Store.add_event

    async def refuse(self: Store, event: StationEvent) -> None:
        if event.kind == "breaker_tripped" and not is_mended.is_set():
            raise DatabaseError("the disk is full")
        await add_event(self, event)

    is_mended = trio.Event()
    monkeypatch.setattr(Store, "add_event", refuse)
    async with running(bench) as run:
        await run.arm()
        await trip(run)
        await time_passes(60)
        assert events(bench, "breaker_tripped") == []
        is_mended.set()
        await run.until(lambda: events(bench, "breaker_tripped") != [])


@pytest.mark.trio
async def test_null_switches_both_off(tmp_path: Path, tray_clock: object) -> None:
    bench = make_line(tmp_path, slots=4, faults=FOUR_BAD)
    edit_settings(bench, line={"breaker": None, "slot_failures": None})
    async with running(bench) as run:
        await run.arm()
        assert (await fail_in_a1(run, "A1", "A2", "A3", "A4")).state is S.EMPTY
        assert alarms(run).keys().isdisjoint({"L630"})
    assert events(bench, "taken_out", "breaker_tripped") == []
