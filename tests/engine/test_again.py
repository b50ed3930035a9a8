"""A module that failed in a way that may pass is tried again by itself; what else fails is not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from station.engine.again import last_of_each
from station.errors import FirehoseSilent
from station.live import SlotState as S
from station.model import (
    AGAIN_STEP,
    AttemptEnded,
    AttemptRecord,
    Event,
    Failure,
    Mode,
    Outcome,
    StepOutcome,
    StepRecord,
    StepStarted,
    VerifyKind,
)
from station.sim.mishap import Cure, Fate, Mishap, What
from station.wire import Abort, Disarm
from tests.engine.line import Running, running
from tests.engine.tray import Line, code_of, make_line, step_named
from tests.store.samples import attempt, verdict

VERDICTS = (S.DONE, S.AWAY, S.PULLED)
FOR_EVER = 1_000_000


def set_line(bench: Line, **line: object) -> None:
    settings = yaml.safe_load(bench.config.read_text(encoding="utf-8"))
    settings["line"] |= line
    bench.config.write_text(yaml.safe_dump(settings), encoding="utf-8")


def ill(bench: Line, step: str, what: What = What.MUTE, slot: str = "A1") -> None:
    """From this step on the module is of no use, until somebody heals it."""
    bench.befall(slot, Mishap(what, step, Cure.NONE, times=FOR_EVER))


def heal(bench: Line, slot: str = "A1") -> None:
    bench.tray.modules[slot].fate = Fate()


def between(bench: Line, deed: Callable[[], None]) -> None:
    """Do it when an attempt has ended that is followed by another."""

    def hear(event: Event) -> None:
        if isinstance(event, AttemptEnded) and event.again is not None:
            deed()

    bench.tell = hear


def outcomes(bench: Line, slot: str = "A1") -> list[Outcome | None]:
    return [outcome_of(record) for record in bench.recorded(slot=slot)]


def outcome_of(record: AttemptRecord) -> Outcome | None:
    return None if record.closed is None else record.closed.outcome


# --- flashed once -----------------------------------------------------------------------------


@pytest.mark.trio
@pytest.mark.parametrize("step", ["identify", "enter_edl", "load_programmer", "erase", "program"])
async def test_both_attempts_are_on_record_and_the_second_names_the_first(
    tmp_path: Path, tray_clock: object, step: str
) -> None:
    bench = make_line(tmp_path)
    ill(bench, step)
    between(bench, lambda: heal(bench))
    tally = await bench.flash()
    first, second = bench.recorded(slot="A1")
    told = [record.opened.attempt_id for record in tally.records]
    assert told == [first.opened.attempt_id, second.opened.attempt_id]
    assert first.closed is not None
    assert first.closed.outcome is Outcome.FAIL
    assert first.follows is None
    assert second.closed is not None
    assert second.closed.outcome is Outcome.PASS, second.closed.failure
    assert second.closed.verify is VerifyKind.READBACK
    assert second.follows == first.opened.attempt_id
    assert second.opened.trigger == "again"
    assert second.steps[0].name == AGAIN_STEP
    assert second.steps[0].detail["attempt"] == "2 of 2"
    assert str(second.steps[0].detail["because"]).startswith(str(code_of(first)))


@pytest.mark.trio
async def test_what_the_first_attempt_wrote_is_written_again(
    tmp_path: Path, tray_clock: object
) -> None:
    """It runs the new version by now, but nobody has read it back."""
    bench = make_line(tmp_path)
    ill(bench, "verify", What.DIPS)
    between(bench, lambda: heal(bench))
    await bench.flash()
    first, second = bench.recorded(slot="A1")
    assert first.closed is not None
    assert first.closed.final_mode is Mode.RUNTIME
    assert second.opened.unit.firmware == bench.tray.modules["A1"].layout.newer_version
    assert second.closed is not None
    assert second.closed.outcome is Outcome.PASS, second.closed.failure
    assert second.closed.verify is VerifyKind.READBACK


@pytest.mark.trio
async def test_one_whose_chip_serial_nobody_can_read_goes_on_by_its_enumeration(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    module = bench.tray.modules["A1"]
    module.traits = replace(module.traits, serial_in_product=False, answers_commands=False)
    ill(bench, "program")
    between(bench, lambda: heal(bench))
    await bench.flash()
    first, second = bench.recorded(slot="A1")
    assert step_named(second, "select").detail["resumes"] == first.opened.attempt_id
    assert outcomes(bench) == [Outcome.FAIL, Outcome.PASS]


@pytest.mark.trio
async def test_so_many_attempts_and_no_more(tmp_path: Path, tray_clock: object) -> None:
    bench = make_line(tmp_path, 2)
    set_line(bench, attempts=3)
    ill(bench, "program")
    await bench.flash()
    records = bench.recorded(slot="A1")
    assert [outcome_of(record) for record in records] == [Outcome.FAIL] * 3
    ids = [record.opened.attempt_id for record in records]
    assert [record.follows for record in records] == [None, *ids[:2]]
    assert outcomes(bench, "A2") == [Outcome.PASS]


@pytest.mark.trio
async def test_one_attempt_is_all_where_the_settings_say_so(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    set_line(bench, attempts=1)
    ill(bench, "identify")
    await bench.flash()
    assert outcomes(bench) == [Outcome.FAIL]


@pytest.mark.trio
@pytest.mark.parametrize(
    "fault", ["nak", "wrong-programmer", "no-return", "unplug", "wrong-variant"]
)
async def test_what_cannot_pass_is_not_tried_again(
    tmp_path: Path, tray_clock: object, fault: str
) -> None:
    bench = make_line(tmp_path, faults={"A1": fault})
    await bench.flash()
    assert len(outcomes(bench)) == 1


@pytest.mark.trio
async def test_a_module_that_was_changed_meanwhile_is_not_taken_for_the_one_that_failed(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, 2)
    ill(bench, "enter_edl")
    port, other = bench.tray.ports["A1"], bench.tray.modules["A2"]

    def swap() -> None:
        bench.backend.unplug(port)
        bench.backend.plug(port, other)

    between(bench, swap)
    before = bench.fingerprint("A2")
    await bench.flash("A1")
    first, second = bench.recorded(slot="A1")
    assert code_of(second) == "D218"
    assert second.closed is not None
    assert second.closed.outcome is Outcome.BLOCKED
    assert first.opened.unit.imei != second.opened.unit.imei
    assert bench.fingerprint("A2") == before


@pytest.mark.trio
async def test_a_refusal_of_what_the_attempt_before_has_written_is_a_fail(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    ill(bench, "program")
    between(bench, lambda: bench.unplug("A1"))
    await bench.flash()
    _, second = bench.recorded(slot="A1")
    assert second.closed is not None
    assert second.closed.outcome is Outcome.FAIL
    assert second.closed.final_mode is Mode.ABSENT


@pytest.mark.trio
async def test_a_person_who_stops_the_tray_wants_no_other_attempt(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    ill(bench, "program")

    def stop(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "program":
            bench.stop.gently.set()

    bench.tell = stop
    await bench.flash()
    assert outcomes(bench) == [Outcome.FAIL]


# --- the running line -------------------------------------------------------------------------


async def see_second(run: Running, slot: str = "A1") -> None:
    """No verdict is shown until then."""
    await run.until(lambda: run[slot].attempt == 2 or run[slot].state in VERDICTS)
    assert run[slot].state.is_busy
    assert (run[slot].outcome, run[slot].failure) == (None, None)


@pytest.mark.trio
async def test_the_line_tries_again_and_shows_no_fail_meanwhile(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    ill(bench, "program")
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await see_second(run)
        assert run["A1"].attempts == 2
        heal(bench)
        view = await run.see("A1", *VERDICTS)
        assert view.outcome is Outcome.PASS, view.failure
        assert run.line.feed.line.counts.first_pass == 0
        run.unplug("A1")
        assert (await run.see("A1", S.EMPTY)).attempt == 1
    assert outcomes(bench) == [Outcome.FAIL, Outcome.PASS]


@pytest.mark.trio
async def test_a_unit_that_fails_twice_counts_once_and_one_that_passes_then_not_at_all(
    tmp_path: Path, tray_clock: object
) -> None:
    """The first has no name: nobody could tell its two failures from those of two units."""
    breaker = {"window": 1, "minimum": 1, "yield_percent": 100}
    bench = make_line(tmp_path, 2)
    set_line(bench, slot_failures=2, breaker=breaker)
    ill(bench, "program")
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await see_second(run)
        heal(bench)
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.PASS
        assert run.line.guard.stopped is None
    async with running(bench) as run:
        assert run.line.guard.stopped is None

    set_line(bench, breaker=None)
    ill(bench, "identify", slot="A2")
    async with running(bench) as run:
        await run.arm()
        run.plug("A2")
        await see_second(run, "A2")
        assert (await run.see("A2", *VERDICTS, S.HELD)).outcome is Outcome.FAIL
    assert outcomes(bench, "A2") == [Outcome.FAIL, Outcome.FAIL]


@pytest.mark.trio
async def test_a_line_that_is_disarmed_or_stopped_meanwhile_starts_no_other_attempt(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    ill(bench, "program")
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.see("A1", S.FLASHING)
        await run.ask(Disarm())
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.FAIL
    assert outcomes(bench) == [Outcome.FAIL]


@pytest.mark.trio
async def test_an_abort_ends_it_whichever_attempt_it_is(tmp_path: Path, tray_clock: object) -> None:
    bench = make_line(tmp_path)
    set_line(bench, attempts=5, slot_failures=2)
    ill(bench, "program")
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await see_second(run)
        await run.ask(Abort(slot="A1", now=True))
        view = await run.see("A1", *VERDICTS)
        assert view.outcome is Outcome.ABORTED
        assert run.line.guard._streaks["A1"]._units != []  # the failure before it still counts
    assert outcomes(bench) == [Outcome.FAIL, Outcome.ABORTED]


# --- what counts after a restart --------------------------------------------------------------


def test_of_attempts_that_follow_each_other_the_last_that_judges_counts() -> None:
    def record(outcome: Outcome, follows: AttemptRecord | None = None) -> AttemptRecord:
        failure = None if outcome.is_good else Failure.of(FirehoseSilent("it said nothing"))
        opened = attempt()
        steps: tuple[StepRecord, ...] = ()
        if follows is not None:
            detail = {"follows": follows.opened.attempt_id}
            steps = (StepRecord(1, AGAIN_STEP, StepOutcome.OK, 0, detail=detail),)
        closed = verdict(opened, outcome=outcome, failure=failure)
        return AttemptRecord(opened, closed, steps, ())

    lone = record(Outcome.FAIL)
    saved = record(Outcome.FAIL)
    passed = record(Outcome.PASS, saved)
    stopped = record(Outcome.FAIL)
    aborted = record(Outcome.ABORTED, stopped)
    records = [lone, saved, passed, stopped, aborted]
    assert last_of_each(records) == [lone, passed, stopped, aborted]
