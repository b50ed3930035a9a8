"""A night with a rack of returns, and nobody there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from station.config import load_recipes
from station.engine.attempt import Attempt
from station.errors import (
    CampaignRuns,
    ConfigError,
    HistoryTrouble,
    LineStopped,
    NoCampaign,
    NotNow,
    NotRegistered,
    PolicyChanged,
    Swapped,
    UsageError,
)
from station.live import LineState
from station.live import SlotState as S
from station.model import Outcome
from station.sim.layouts import EC25
from station.sim.mishap import Cure, Mishap, What
from station.store.campaigns import newest_story
from station.store.events import find_events
from station.store.queries import find_attempts
from station.store.verify import verify
from station.store.writer import Store
from station.wire import (
    Abort,
    CampaignAbort,
    CampaignPlan,
    CampaignRun,
    Disarm,
    Hold,
    Lift,
    OperatorAdd,
    Retry,
    ShiftEnd,
    ShiftStart,
)
from tests.engine.nights import (
    NIGHT_S,
    RUN,
    STOP_AT,
    Wall,
    engine,
    kinds,
    story_of_last,
    until_over,
    why_stopped,
    words,
)
from tests.engine.rack import make_rack, plug_all, tell_of_returns, write_policy
from tests.engine.tray import step_named

pytestmark = pytest.mark.trio

ANY = {"known": False}
PLAN = CampaignPlan(name="nightly")
OLDER = "EC25EFAR06A04M4G_01.001.01.001"
"""Not what the rest of a rack has, and the recipe starts from it, too."""

DEAD = Mishap(What.MUTE, "program", Cure.NONE, times=1_000_000)


# --- the night --------------------------------------------------------------------------------


async def test_a_rack_of_returns_is_done_in_the_morning_though_the_station_died_in_the_night(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_target = ("A2", "A11", "A30")
    older = dict.fromkeys(("A3", "A13", "A27"), OLDER)
    faults = {"A20": "wrong-variant"}
    bench = make_rack(tmp_path, 32, faults=faults, at_target=at_target, versions=older)
    bench.befall("A7", Mishap(What.MUTE, "program", Cure.NONE, times=1_000_000))
    await tell_of_returns(bench, but=("A5",), quarantined={"A9": "burnt"})
    plug_all(bench)
    untouched = {slot: bench.fingerprint(slot) for slot in ("A5", "A9", "A20", *at_target)}

    async def die(self: Attempt, _: object) -> None:
        with trio.CancelScope(shield=True):
            await self.session.close()

    with monkeypatch.context() as killed:
        async with engine(bench) as run:
            answer = await run.ask(RUN)
            assert answer["totals"] == {
                "flash": 26, "verify": 3, "unknown": 1, "quarantined": 1, "blocked": 1,
            }  # fmt: skip
            decided = story_of_last(bench)
            assert len(decided.slots) == 32, (
                "every decision is on record before a module is touched"
            )
            assert decided.attempts == {}
            from_older = {s.slot for s in decided.slots if s.reason == f"from {OLDER}"}
            assert from_older == set(older)
            await run.until(lambda: any(run[s].step == "program" for s in ("A12", "A13")), NIGHT_S)
            killed.setattr(Attempt, "_end", die)
    dead = story_of_last(bench)
    assert dead.over is None
    cut_off = [s for s, some in dead.attempts.items() if some[-1].closed is None]
    assert cut_off

    async with engine(bench) as run:
        await run.until(lambda: run.desk.campaigns.night is not None)
        sheet = await until_over(run, bench)
        assert run.line.state is LineState.DISARMED
        assert run["A7"].state is S.HELD, "a dying slot is out of the line"

    story = sheet.story
    happened = [kind for kind in kinds(story) if kind != "group"]
    assert sorted(happened) == ["ended", "resumed", "sheet", "slot_out", "started"]
    assert happened[-2:] == ["ended", "sheet"]
    told = words(sheet)
    assert {slot for slot, word in told.items() if word == "NO CHANGE"} == set(at_target)
    assert (told["A5"], told["A9"], told["A20"]) == ("UNKNOWN", "QUARANTINED", "BLOCKED")
    assert told["A7"] == "FAIL"
    good = {slot for slot, word in told.items() if word == "PASS"}
    assert good == set(told) - {"A5", "A7", "A9", "A20", *at_target}
    assert dict(sheet.totals)["PASS"] == 25
    for slot in older:
        assert story.attempts[slot][0].opened.unit.firmware == OLDER
    after = [story.attempts[slot][-1].closed for slot in good]
    assert {closed.firmware_after for closed in after if closed} == {EC25.newer_version}
    assert str(sheet.story.yielded.final_yield) == "96.1 %"
    assert sheet.story.yielded.first == 26
    assert sheet.story.yielded.station_loss == len(cut_off)
    assert [slot for slot, _ in sheet.out] == ["A7"]
    assert sheet.resumed == 1
    for slot, before in untouched.items():
        assert bench.fingerprint(slot) == before, slot
    for slot in cut_off:
        first, last = story.attempts[slot][0], story.attempts[slot][-1]
        assert first.closed is not None
        assert first.closed.outcome is Outcome.INTERRUPTED
        assert last.opened.campaign_id == story.begun.campaign_id
        assert last.closed is not None
        assert last.closed.outcome.is_good or slot == "A7"
    lasts = [story.attempts[slot][-1] for slot in cut_off]
    assert any("resumes" in step_named(record, "select").detail for record in lasts)
    found = verify(bench.settings().database)
    assert found.findings == []
    written = list((tmp_path / "sheets").glob("*.html"))
    assert [path.stem for path in written] == [f"nightly-{story.begun.campaign_id}"]
    assert "96.1 %" in written[0].read_text(encoding="utf-8")
    assert "QUARANTINED eva put it" in written[0].with_suffix(".txt").read_text(encoding="utf-8")


# --- the plan ---------------------------------------------------------------------------------


async def test_a_plan_changes_nothing(tmp_path: Path, tray_clock: object) -> None:
    bench = make_rack(tmp_path, 6, faults={"A4": "wrong-variant"}, at_target=("A2",))
    await tell_of_returns(bench, but=("A3",), quarantined={"A5": "burnt"})
    plug_all(bench)
    bench.backend.unplug(bench.tray.ports["A6"])
    before = {slot: bench.fingerprint(slot) for slot in bench.tray.modules}
    async with engine(bench) as run:
        await run.see("A1", S.DONE)
        events = find_events(bench.settings().database)
        attempts = bench.recorded()
        answer: dict[str, Any] = await run.ask(PLAN)
        assert find_events(bench.settings().database) == events
        assert bench.recorded() == attempts
        assert run.line.state is LineState.DISARMED
    assert {s["slot"]: s["decision"] for s in answer["slots"]} == {
        "A1": "flash", "A2": "verify", "A3": "unknown", "A4": "blocked", "A5": "quarantined",
        "A6": "empty",
    }  # fmt: skip
    reasons = {s["slot"]: s["reason"] for s in answer["slots"]}
    assert reasons["A3"] == "it is not on this record"
    assert "SKU EC25AFA" in reasons["A4"]
    assert reasons["A5"].startswith("eva put it in quarantine at")
    assert reasons["A5"].endswith(": burnt")
    assert {slot: bench.fingerprint(slot) for slot in before} == before
    settings = bench.settings()
    assert newest_story(settings.database, settings.station.name) is None


async def test_a_policy_narrows_what_is_taken(tmp_path: Path, tray_clock: object) -> None:
    bench = make_rack(tmp_path, 4, at_target=("A2",))
    plug_all(bench)
    write_policy(tmp_path, units=ANY, limits={"units": 2})
    async with engine(bench) as run:
        await run.see("A3", S.STANDING)
        await run.ask(Hold(slot="A3", reason="bent pin", by="eva"))
        assert _decisions(await run.ask(PLAN)) == ["flash", "verify", "slot_out", "over_limit"]
        write_policy(tmp_path, units=ANY | {"allow_from": ["EC25EFAR02*"]})
        assert _decisions(await run.ask(PLAN)) == ["not_meant", "verify", "slot_out", "not_meant"]
        write_policy(tmp_path, units=ANY | {"tac": ["00000000"]})
        assert _decisions(await run.ask(PLAN))[:2] == ["not_meant", "not_meant"]
        write_policy(tmp_path, units=ANY | {"sku": ["RM500*"]})
        assert _decisions(await run.ask(PLAN))[:2] == ["not_meant", "not_meant"]


def _decisions(answer: dict[str, Any]) -> list[str]:
    return [slot["decision"] for slot in answer["slots"]]


async def test_what_did_not_pass_is_written_again_wherever_the_policy_starts_from(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_rack(tmp_path, 1, faults={"A1": "corrupt-write"})
    await bench.flash()
    bench.backend.unplug(bench.tray.ports["A1"])
    plug_all(bench)
    write_policy(tmp_path, units=ANY | {"allow_from": ["EC25EFAR02*"]})
    async with engine(bench) as run:
        answer: dict[str, Any] = await run.ask(PLAN)
    (slot,) = answer["slots"]
    assert slot["decision"] == "flash"
    assert slot["reason"].endswith("already, but did not pass when it was written last")


async def test_two_modules_of_one_name_are_left_alone(tmp_path: Path, tray_clock: object) -> None:
    bench = make_rack(tmp_path, 3)
    bench.tray.modules["A3"].identity = bench.tray.modules["A1"].identity
    plug_all(bench)
    write_policy(tmp_path, units=ANY)
    async with engine(bench) as run:
        answer = await run.ask(PLAN)
    assert _decisions(answer) == ["blocked", "flash", "blocked"]


# --- refusals ---------------------------------------------------------------------------------


async def test_what_stands_in_the_way_is_said_and_nothing_is_begun(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_rack(tmp_path, 1)
    async with engine(bench) as run:
        await run.arm(expect="none")
        with pytest.raises(NotNow, match="the line is armed"):
            await run.ask(RUN)
        await run.ask(Disarm())
        with pytest.raises(NoCampaign):
            await run.ask(CampaignAbort(by="eva", reason="enough"))
        with pytest.raises(UsageError, match="no campaign 'weekly'"):
            await run.ask(RUN.model_copy(update={"name": "weekly"}))
        write_policy(tmp_path, recipes=["ec25-dem"])
        with pytest.raises(UsageError, match="nearest: 'ec25-demo'"):
            await run.ask(RUN)
        write_policy(tmp_path, stop_at="25:00")
        with pytest.raises(ConfigError, match="time of day"):
            await run.ask(RUN)
        settings = bench.settings()
        assert newest_story(settings.database, settings.station.name) is None


async def test_a_policy_that_is_another_one_than_was_planned_is_not_begun(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_rack(tmp_path, 1)
    settings = bench.settings()
    async with engine(bench) as run:
        planned = await run.ask(PLAN)
        as_planned = RUN.model_copy(update={"policy_sha256": planned["policy_sha256"]})
        write_policy(tmp_path, units=ANY)
        with pytest.raises(PolicyChanged, match="the file of nightly"):
            await run.ask(as_planned)
        assert newest_story(settings.database, settings.station.name) is None
        write_policy(tmp_path)
        await run.ask(as_planned)
        await until_over(run, bench)
    assert story_of_last(bench).begun.policy_sha256 == planned["policy_sha256"]


async def test_nobody_arms_and_nothing_starts_by_itself_while_it_runs(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_rack(tmp_path, 3)
    await tell_of_returns(bench, but=("A2",))
    run_slots = ("A1", "A2")
    async with engine(bench) as run:
        for slot in run_slots:
            run.plug(slot)
        await run.see("A2", S.WAITING)
        before = bench.fingerprint("A2")
        await run.ask(RUN)
        with pytest.raises(CampaignRuns):
            await run.arm()
        with pytest.raises(CampaignRuns):
            await run.ask(RUN)
        await run.until_step("A1", "program")
        run.plug("A3")
        view = await run.see("A3", S.WAITING)
        assert view.failure is not None
        assert view.failure.code == CampaignRuns.code
        sheet = await until_over(run, bench)
        assert words(sheet) == {"A1": "PASS", "A2": "UNKNOWN", "A3": "EMPTY"}
        assert bench.fingerprint("A2") == before
        assert run["A2"].state is S.WAITING
        await run.arm(expect="none")
        await run.see("A3", S.DONE)


# --- how it is stopped ------------------------------------------------------------------------


async def test_an_abort_lets_what_is_written_be_finished(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_rack(tmp_path, 3)
    plug_all(bench)
    write_policy(tmp_path, units=ANY, limits={"at_once": 1})
    async with engine(bench) as run:
        await run.ask(RUN)
        await run.until_step("A1", "program")
        await run.ask(CampaignAbort(by="eva", reason="fire alarm"))
        sheet = await until_over(run, bench)
        assert run.line.state is LineState.DISARMED
    assert words(sheet) == {"A1": "PASS", "A2": "NOT BEGUN", "A3": "NOT BEGUN"}
    assert why_stopped(sheet.story) == "ended by eva (maria): fire alarm"


async def test_neither_disarming_the_line_nor_the_end_of_a_shift_ends_it(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_rack(tmp_path, 2)
    plug_all(bench)
    write_policy(tmp_path, units=ANY, limits={"at_once": 1})
    async with engine(bench) as run:
        await run.ask(OperatorAdd(name="eva", role="engineer", reason="runs line 1"))
        await run.ask(ShiftStart(operator="eva"))
        await run.ask(CampaignRun(name="nightly", by="eva", reason="returns"))
        await run.until_step("A1", "program")
        with pytest.raises(NotRegistered):
            await run.ask(CampaignAbort(by="mallory", reason="enough"))
        with pytest.raises(CampaignRuns, match="nightly works through the rack"):
            await run.ask(Disarm(by="mallory"))
        await run.ask(ShiftEnd(by="eva"))
        assert run.line.shifts.now is None
        assert run.line.state is LineState.ARMED
        sheet = await until_over(run, bench)
        await run.ask(Disarm())
    assert words(sheet) == {"A1": "PASS", "A2": "PASS"}
    events = [event.kind for event in find_events(bench.settings().database)]
    assert events.count("disarmed") == 1, "after it"
    assert events.count("shift_end") == 1


async def test_nobody_has_a_module_flashed_that_it_leaves_alone(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_rack(tmp_path, 3)
    await tell_of_returns(bench, but=("A3",))
    plug_all(bench)
    write_policy(tmp_path, units={"known": True}, limits={"at_once": 1})
    async with engine(bench) as run:
        async with run.desk.campaigns.looking:
            with pytest.raises(CampaignRuns, match="got ready"):
                await run.ask(Retry(slot="A3", by="maria"))
        await run.ask(RUN)
        await run.until_step("A1", "program")
        with pytest.raises(CampaignRuns, match="nightly works through the rack"):
            await run.ask(Retry(slot="A3", by="maria"))
        sheet = await until_over(run, bench)
    assert words(sheet)["A3"] == "UNKNOWN"
    assert find_attempts(bench.settings().database, slot="A3") == []


async def test_a_line_that_is_not_armed_any_more_ends_it(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_rack(tmp_path, 2)
    plug_all(bench)
    write_policy(tmp_path, units=ANY, limits={"at_once": 1})
    async with engine(bench) as run:
        await run.ask(RUN)
        await run.until_step("A1", "program")
        run.line.go(LineState.DISARMED)
        sheet = await until_over(run, bench)
    assert words(sheet) == {"A1": "PASS", "A2": "NOT BEGUN"}
    assert why_stopped(sheet.story) == "the line was disarmed"


async def test_nothing_is_started_after_the_stop_time(tmp_path: Path, tray_clock: object) -> None:
    bench = make_rack(tmp_path, 4)
    plug_all(bench)
    write_policy(tmp_path, units=ANY, limits={"at_once": 1}, stop_at=STOP_AT)
    async with engine(bench, clock=Wall(45.0)) as run:
        await run.ask(RUN)
        sheet = await until_over(run, bench)
    told = words(sheet)
    assert (told["A1"], told["A4"]) == ("PASS", "NOT BEGUN")
    assert why_stopped(sheet.story) == "it is 05:30, the time to stop"


async def test_a_night_of_bad_units_trips_the_line_s_own_breaker(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_rack(tmp_path, 5)
    for slot in ("A1", "A2", "A3"):
        bench.befall(slot, DEAD)
    plug_all(bench)
    limits = {"in_a_row": 3, "on_a_slot": None}
    write_policy(
        tmp_path, units=ANY, limits={"at_once": 1, "attempts": 1}, breaker=limits,
        groups={"first": 5},
    )  # fmt: skip
    async with engine(bench) as run:
        await run.ask(RUN)
        sheet = await until_over(run, bench)
        assert words(sheet)["A4"] == "NOT BEGUN"
        assert "3 units failed in a row" in why_stopped(sheet.story)
        assert run["A1"].state is S.DONE, "its slot stays in"
        with pytest.raises(LineStopped):
            await run.ask(RUN)
        assert run.line.guard.breaker is None, "the demo's line has none"
    async with engine(bench) as run:
        with pytest.raises(LineStopped, match="3 units failed in a row"):
            await run.ask(RUN)
        await run.ask(Lift(by="eva", reason="another box of modules"))
        assert run.line.guard.stopped is None


async def test_the_next_group_waits_for_a_good_one(tmp_path: Path, tray_clock: object) -> None:
    bench = make_rack(tmp_path, 4)
    bench.befall("A1", DEAD)
    plug_all(bench)
    write_policy(tmp_path, units=ANY, groups={"first": 2, "next": 2, "good_percent": 75})
    async with engine(bench) as run:
        await run.ask(RUN)
        sheet = await until_over(run, bench)
    assert words(sheet) == {"A1": "FAIL", "A2": "PASS", "A3": "NOT BEGUN", "A4": "NOT BEGUN"}
    assert why_stopped(sheet.story) == "of group 1 1 of 2 units are good, 75 % are wanted"
    assert [slot for slot, _ in sheet.out] == ["A1"]


async def test_another_module_than_was_looked_at_is_not_touched(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_rack(tmp_path, 2)
    await tell_of_returns(bench)
    plug_all(bench)
    write_policy(tmp_path, limits={"at_once": 1})
    stranger = make_rack(tmp_path / "other", 3).tray.modules["A3"]
    before = stranger.nand.fingerprint(0, stranger.layout.total_blocks)
    async with engine(bench) as run:
        await run.ask(RUN)
        await run.until_step("A1", "program")
        run.unplug("A2")
        await run.see("A2", S.EMPTY)
        bench.backend.plug(bench.tray.ports["A2"], stranger)
        await run.see("A2", S.WAITING)
        sheet = await until_over(run, bench)
    assert words(sheet) == {"A1": "PASS", "A2": "BLOCKED"}
    assert sheet.left[0].why.startswith(Swapped.code)
    assert stranger.nand.fingerprint(0, stranger.layout.total_blocks) == before


# --- restarts ---------------------------------------------------------------------------------


async def test_a_gentle_stop_of_the_engine_is_a_pause(tmp_path: Path, tray_clock: object) -> None:
    bench = make_rack(tmp_path, 2)
    plug_all(bench)
    write_policy(tmp_path, units=ANY, limits={"at_once": 1})
    async with engine(bench) as run:
        await run.ask(RUN)
        await run.until_step("A1", "program")
        await run.line.drain()
    assert story_of_last(bench).over is None
    async with engine(bench) as run:
        await run.until(lambda: run.desk.campaigns.night is not None)
        sheet = await until_over(run, bench)
    assert words(sheet) == {"A1": "PASS", "A2": "PASS"}
    assert [len(some) for some in sheet.story.attempts.values()] == [1, 1]
    assert kinds(sheet.story).count("resumed") == 1


async def test_what_a_person_aborted_is_left_to_them_over_a_restart(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_rack(tmp_path, 2)
    plug_all(bench)
    write_policy(tmp_path, units=ANY, limits={"at_once": 1})
    async with engine(bench) as run:
        await run.ask(RUN)
        await run.until_step("A1", "identify")
        await run.ask(Abort(by="eva", slot="A1"))
        await run.line.drain()
    async with engine(bench) as run:
        await run.until(lambda: run.desk.campaigns.night is not None)
        sheet = await until_over(run, bench)
    assert words(sheet) == {"A1": "ABORTED", "A2": "PASS"}
    [aborted] = sheet.story.attempts["A1"]
    assert aborted.closed is not None
    assert aborted.closed.failure is not None
    assert aborted.closed.failure.code == "X904"


async def test_it_does_not_go_on_with_another_recipe(tmp_path: Path, tray_clock: object) -> None:
    bench = make_rack(tmp_path, 2)
    plug_all(bench)
    write_policy(tmp_path, units=ANY, limits={"at_once": 1})
    async with engine(bench) as run:
        await run.ask(RUN)
        await run.until_step("A1", "program")
        await run.line.drain()
    bench.edit_recipe(revision=9)
    assert load_recipes(bench.settings().recipes)
    async with engine(bench) as run:
        await run.until(lambda: "sheet" in kinds(story_of_last(bench)))
    assert "ec25-demo is another one now" in why_stopped(story_of_last(bench))


async def test_a_record_in_trouble_is_a_pause(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_rack(tmp_path, 3)
    plug_all(bench)
    write_policy(tmp_path, units=ANY, limits={"at_once": 2}, groups={"first": 3})
    ask, refused = Store.ask, 0

    async def in_trouble(self: Store, question: Callable[[str], object]) -> object:
        nonlocal refused
        if refused < 3 and run["A1"].state is S.DONE:
            refused += 1
            raise HistoryTrouble("disk I/O error")
        return await ask(self, question)

    async with engine(bench) as run:
        await run.ask(RUN)
        monkeypatch.setattr(Store, "ask", in_trouble)
        sheet = await until_over(run, bench)
    assert refused == 3
    assert words(sheet) == {"A1": "PASS", "A2": "PASS", "A3": "PASS"}
    assert [len(some) for some in sheet.story.attempts.values()] == [1, 1, 1]
    assert "not_started" not in kinds(sheet.story)


async def test_a_sheet_that_cannot_be_written_is_an_event(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_rack(tmp_path, 1, at_target=("A1",))
    plug_all(bench)
    write_policy(tmp_path, units=ANY)
    (tmp_path / "sheets").write_text("a file")
    async with engine(bench) as run:
        await run.ask(RUN)
        await until_over(run, bench)
        assert run.line.state is LineState.DISARMED
    story = story_of_last(bench)
    assert kinds(story) == ["started", "group", "ended", "no_sheet"]
    assert "sheets" in str(story.events[-1].detail["why"])


async def test_an_empty_rack_is_done_at_once(tmp_path: Path, tray_clock: object) -> None:
    bench = make_rack(tmp_path, 2)
    async with engine(bench) as run:
        await run.ask(RUN)
        sheet = await until_over(run, bench)
    assert words(sheet) == {"A1": "EMPTY", "A2": "EMPTY"}
    assert sheet.ending == "done"
    assert sheet.story.yielded.units == 0
