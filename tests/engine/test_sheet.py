"""The morning sheet: figures by their definitions, words that nobody can break out of, one page."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from station.commands.campaign import status_json
from station.engine.sheet import Sheet, sheet_of
from station.engine.sheet_words import LISTED, SHOWN_REMEDY, facts_of, sheet_html, sheet_text
from station.errors import Nak, StationError, WrongVersionAfter
from station.model import (
    AttemptClosed,
    AttemptOpened,
    AttemptRecord,
    Failure,
    Mode,
    Outcome,
    StepOutcome,
    StepRecord,
    Unit,
    VerifyKind,
)
from station.store.campaigns import (
    CampaignBegun,
    CampaignEvent,
    CampaignSlot,
    CampaignStory,
    Decided,
)
from station.store.yields import Yield

BEGUN = CampaignBegun("c1", "line-1", 1_795_000_000_000_000, "nightly", "a" * 64, "name: x", "eva")
HOSTILE = "<script>alert(1)</script>&\"'\x1b[2J\u202e"
R = Outcome
NOTHING = Yield("all", None, *[0] * 11)


def attempt(slot: str, outcome: Outcome, *, step_us: int = 1, cause: str = "no") -> AttemptRecord:
    failure = None if outcome.is_good else Failure.of(Nak(cause))
    opened = AttemptOpened(
        attempt_id=f"{slot}", station="line-1", site="s", slot=slot, port_path=None, operator="o",
        software_version="0", trigger="campaign", started_utc_us=1, unit=Unit(), campaign_id="c1",
    )  # fmt: skip
    closed = AttemptClosed(
        attempt_id=slot, outcome=outcome, failure=failure, ended_utc_us=2, duration_us=1,
        verify=VerifyKind.NONE, unit=Unit(), firmware_after=None, final_mode=Mode.RUNTIME,
    )  # fmt: skip
    steps = (StepRecord(1, "program", StepOutcome.OK, step_us),)
    return AttemptRecord(opened, closed, steps, ())


def story(
    outcomes: dict[str, Sequence[Outcome]],
    others: dict[str, Decided] | None = None,
    *,
    cause: str = "no",
) -> CampaignStory:
    unit = Unit(imei="866866040550243")
    worked = [CampaignSlot(s, Decided.FLASH, "from x", 1, unit=unit) for s in outcomes]
    left = [CampaignSlot(s, decided, cause, unit=unit) for s, decided in (others or {}).items()]
    ended = CampaignEvent("e9", "line-1", BEGUN.utc_us + 60_000_000, "c1", "ended")
    attempts = {
        slot: tuple(attempt(slot, outcome, cause=cause) for outcome in some)
        for slot, some in outcomes.items()
        if some
    }
    head = (7, "ab" * 32)
    return CampaignStory(BEGUN, (*worked, *left), (ended,), attempts, head, NOTHING, len(attempts))


def sheet(outcomes: dict[str, Sequence[Outcome]], **more: Decided) -> Sheet:
    told = story(outcomes, more)
    return sheet_of(told, [tuple(slot.slot for slot in told.slots)])


def test_yields_are_told_as_they_are_defined() -> None:
    numbers = replace(NOTHING, units=26, first=26, first_pass=25, final_good=26, station_loss=2)
    told = replace(story({"A1": [R.PASS]}), yielded=numbers)
    facts = dict(facts_of(sheet_of(told, [("A1",)])))
    assert facts["first-pass yield"] == "25 of 26, 96.1 %"
    assert facts["final yield"] == "26 of 26, 100.0 %"
    assert facts["attempts"] == "1 on 1 units, 2 lost by the station"
    assert dict(facts_of(sheet({})))["final yield"] == "0 of 0"


def test_each_slot_has_its_place_and_its_word() -> None:
    told = story(
        {"A1": [R.PASS], "A2": [R.FAIL], "A3": []}, {"A4": Decided.UNKNOWN, "B1": Decided.EMPTY}
    )
    made = sheet_of(told, [("A1", "A2"), ("A3", "A4")])
    assert [[cell.slot for cell in row] for row in made.rows] == [
        ["A1", "A2"],
        ["A3", "A4"],
        ["B1"],
    ]
    assert [cell.word for cell in made.cells] == ["PASS", "FAIL", "NOT BEGUN", "UNKNOWN", "EMPTY"]
    assert made.totals == [("PASS", 1), ("FAIL", 1), ("NOT BEGUN", 1), ("UNKNOWN", 1), ("EMPTY", 1)]
    assert [cell.slot for cell in made.bad] == ["A2"]
    assert [cell.slot for cell in made.left] == ["A3", "A4"]


def test_a_campaign_that_goes_on_says_so() -> None:
    told = replace(story({"A1": [], "A2": [R.PASS]}), events=())
    made = sheet_of(told, [("A1", "A2")])
    assert [cell.word for cell in made.cells] == ["WAITING", "PASS"]
    assert made.ending == "it goes on"
    assert made.left == []


def test_a_campaign_that_somebody_ended_says_so_while_the_last_module_is_written() -> None:
    why = "ended by eva: fire alarm"
    aborted = CampaignEvent("e2", "line-1", BEGUN.utc_us + 1, "c1", "aborted", {"why": why})
    made = sheet_of(replace(story({"A1": []}), events=(aborted,)), [("A1",)])
    assert made.ending == f"it ends: {why}"
    told = status_json(made)
    assert (told["state"], told["why"]) == ("ending", why)
    assert [cell.word for cell in made.cells] == ["NOT BEGUN"]


def test_the_slowest_steps_come_first() -> None:
    told = story({"A1": [R.PASS], "A2": [R.PASS]})
    told = replace(
        told,
        attempts={
            "A1": (attempt("A1", R.PASS, step_us=3_000_000),),
            "A2": (attempt("A2", R.PASS, step_us=9_000_000),),
        },
    )
    (step,) = sheet_of(told, [("A1", "A2")]).slowest
    assert (step.step, step.slot, step.longest_us, step.average_us) == (
        "program", "A2", 9_000_000, 6_000_000,
    )  # fmt: skip


def test_each_code_says_once_what_to_do_the_most_frequent_first() -> None:
    told = story({"A1": [R.FAIL], "A2": [R.FAIL], "A3": [R.PASS], "A4": [R.FAIL]})
    other = (_failed_by(told.attempts["A1"][0], Failure.of(WrongVersionAfter("it is old"))),)
    made = sheet_of(replace(told, attempts={**told.attempts, "A1": other}), _rows(4))
    assert made.remedies == [
        (Nak.code, ("A2", "A4"), Nak.remedy),
        (WrongVersionAfter.code, ("A1",), WrongVersionAfter.remedy),
    ]
    assert f"{Nak.code}  A2, A4  {Nak.remedy}" in sheet_text(made)
    assert f"<td>{WrongVersionAfter.code}<td>A1<td>{WrongVersionAfter.remedy}" in sheet_html(made)


def test_what_to_do_is_not_cut() -> None:
    assert len(_longest_remedy()) <= SHOWN_REMEDY


def test_slots_with_long_names_leave_what_to_do_its_place() -> None:
    names = [f"rack-7-position{n}" for n in range(4)]
    made = sheet_of(story({name: [R.FAIL] for name in names}), [tuple(names)])
    assert f"<td>{Nak.code}<td>rack-7-position0 +3<td>{Nak.remedy}" in sheet_html(made)


def test_codes_that_find_no_place_are_in_the_text() -> None:
    made = _worst(32, 8)
    page, text = sheet_html(made), sheet_text(made)
    assert page.count("<td>PA") == LISTED // 2
    assert "and 13 more, see station campaign sheet c1 --text" in page
    assert all(f"\nPA{n} " in text for n in range(1, 17))


def test_what_others_wrote_stays_text() -> None:
    told = story({"A1": [R.FAIL]}, {"A2": Decided.BLOCKED}, cause=HOSTILE)
    failure = replace(Failure.of(Nak(HOSTILE)), code=HOSTILE, remedy=HOSTILE)
    told = replace(told, attempts={"A1": (_failed_by(told.attempts["A1"][0], failure),)})
    told = replace(told, begun=replace(BEGUN, actor=HOSTILE, station=HOSTILE, name=HOSTILE))
    made = sheet_of(told, [("A1", "A2")])
    page, text = sheet_html(made), sheet_text(made)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    for shown in (page, text):
        assert "\x1b" not in shown
        assert "\u202e" not in shown


def test_a_rack_of_32_in_which_all_is_bad_has_short_lists() -> None:
    outcomes: dict[str, Sequence[Outcome]] = {f"A{n}": [R.FAIL] for n in range(1, 17)}
    others = {f"A{n}": Decided.BLOCKED for n in range(17, 33)}
    made = sheet_of(story(outcomes, others, cause="long " * 60), _rows(32))
    page = sheet_html(made)
    assert page.count(f"and {16 - LISTED} more, see the rack") == 2
    assert page.count("<tr><td>") <= 2 * (LISTED + 1) + 5
    lines = [line for line in sheet_text(made).splitlines() if "long long" in line]
    assert len(lines) == 32, "the text leaves nothing out"


def test_one_more_than_a_list_shows_is_shown() -> None:
    outcomes: dict[str, Sequence[Outcome]] = {f"A{n}": [R.FAIL] for n in range(LISTED + 1)}
    made = sheet_of(story(outcomes), [tuple(outcomes)])
    assert "more, see the rack" not in sheet_html(made)


def test_the_page_cuts_why_it_was_stopped_and_the_text_does_not() -> None:
    made = _worst(8, 8)
    assert made.ending.startswith("stopped: ended by WWW")
    assert made.how == "stopped"
    assert made.ending in sheet_text(made)
    assert sheet_html(made).count("stopped: ") == 1
    assert made.ending not in sheet_html(made)


@pytest.mark.parametrize("columns", [1, 2, 4, 5, 6, 8, 16])
@pytest.mark.skipif(shutil.which("weasyprint") is None, reason="weasyprint is not installed")
def test_the_worst_night_of_a_rack_of_32_prints_on_one_page(columns: int) -> None:
    assert _pages(_worst(32, columns)) == 1


@pytest.mark.skipif(shutil.which("weasyprint") is None, reason="weasyprint is not installed")
def test_pages_are_counted() -> None:
    assert _pages(_worst(512, 8)) > 1


def _worst(slots: int, columns: int) -> Sheet:
    """Half of them failed, each with another code, the others blocked, all out, for reasons as long
    as they get; stopped with the longest reason, by the longest name, on the longest station, in
    the widest letters."""
    half, why = slots // 2, "long " * 60
    outcomes: dict[str, Sequence[Outcome]] = {f"A{n}": [R.FAIL] * 3 for n in range(1, half + 1)}
    others = {f"A{n}": Decided.BLOCKED for n in range(half + 1, slots + 1)}
    told = story(outcomes, others, cause=why)
    out = [
        CampaignEvent(
            f"e{n}", "line-1", BEGUN.utc_us, "c1", "slot_out", {"slot": f"A{n}", "why": why}
        )
        for n in range(1, slots + 1)
    ]
    ended = f"ended by {'W' * 64} ({'w' * 32}): {'W ' * 100}"
    end = CampaignEvent("f", "line-1", BEGUN.utc_us, "c1", "stopped", {"why": ended})
    begun = replace(BEGUN, name="N" * 64, station="W" * 256, actor="W" * 64)
    steps = tuple(StepRecord(n, f"step {n}", StepOutcome.OK, n) for n in range(1, 9))
    attempts = {}
    for slot, some in told.attempts.items():
        failure = replace(Failure.of(Nak(why)), code=f"P{slot}", remedy=_longest_remedy())
        attempts[slot] = tuple(_failed_by(replace(one, steps=steps), failure) for one in some)
    told = replace(told, begun=begun, events=(*out, end), attempts=attempts)
    return sheet_of(told, _rows(slots, columns))


def _longest_remedy() -> str:
    """Of those that end attempts; L is said to people."""
    return max((one.remedy for one in _codes(StationError) if one.code[0] != "L"), key=len)


def _codes(kind: type[StationError]) -> Iterator[type[StationError]]:
    for one in kind.__subclasses__():
        if hasattr(one, "code"):
            yield one
        yield from _codes(one)


def _failed_by(record: AttemptRecord, failure: Failure) -> AttemptRecord:
    assert record.closed is not None
    return replace(record, closed=replace(record.closed, failure=failure))


def _pages(made: Sheet) -> int:
    """Of its print, by a renderer that is not ours."""
    printed = subprocess.run(
        ["weasyprint", "-", "-"],
        input=sheet_html(made).encode(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    return len(re.findall(rb"/Type /Page\b", printed.stdout))


def _rows(slots: int, columns: int = 8) -> list[tuple[str, ...]]:
    names = [f"A{n}" for n in range(1, slots + 1)]
    return [tuple(names[at : at + columns]) for at in range(0, slots, columns)]
