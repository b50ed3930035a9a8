"""What a tile says: one face for every state and outcome, readable, and never out of its place."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from station.dashboard.block_letters import large
from station.dashboard.face import VERDICTS, face, face_of
from station.dashboard.palette import COLOUR, PLAIN, Kind, Palette, contrast
from station.dashboard.tile import Look, draw_tile
from station.dashboard.words import duration, percent, wrapped
from station.errors import (
    CampaignRuns,
    GoldenFirst,
    HubFailed,
    HubMoved,
    LineStopped,
    NotArmed,
    NotFlashed,
    ResultsWaiting,
    ResumesWhenArmed,
    SlotHeld,
    SlotOut,
    StationError,
    Stopping,
)
from station.live import SlotState, SlotView
from station.model import Failure, Outcome
from tests.dashboard.tray import NOW_UTC_US, STATES

GOOD_OUTCOMES = (Outcome.PASS, Outcome.NO_CHANGE)


def text_of(view: SlotView, columns: int = 30, rows: int = 10, *, dead: bool = False) -> str:
    look = Look(view.slot, view, NOW_UTC_US, dead=dead)
    return "\n".join(strip.text for strip in draw_tile(look, columns, rows, COLOUR))


def slot(name: str) -> SlotView:
    return next(view for view in STATES if view.slot == name)


# --- faces ------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [None, *Outcome])
@pytest.mark.parametrize("state", list(SlotState))
def test_every_state_with_every_outcome_has_a_face(
    state: SlotState, outcome: Outcome | None
) -> None:
    found = face_of(state, outcome)
    assert found.word
    assert 1 <= len(found.short) <= 5
    assert large(found.word, 80, 3, False), "every word can be drawn"
    if found.kind is Kind.GOOD:
        assert state in (SlotState.DONE, SlotState.AWAY)
        assert outcome in GOOD_OUTCOMES
    if found.kind is Kind.BAD:
        assert outcome in (Outcome.FAIL, Outcome.ERROR, None)


def test_verdicts_differ_in_word_and_kinds_in_shape() -> None:
    words = [found.word for found in VERDICTS.values()]
    assert len(set(words)) == len(words)
    kinds_by_shape: dict[str, set[Kind]] = {}
    for found in VERDICTS.values():
        kinds_by_shape.setdefault(found.shape, set()).add(found.kind)
    assert all(len(kinds) == 1 for kinds in kinds_by_shape.values()), kinds_by_shape


def test_a_unit_that_had_passed_is_told_so() -> None:
    assert face(slot("B4")).word == "ALREADY PASS"
    assert "PASS 10:42 slot A3" in text_of(slot("B4"))
    assert face(slot("B5")).word == "NO CHANGE"


def test_a_verdict_from_before_shows_when() -> None:
    assert face(slot("C3")).word == "PASS"
    assert "10:42" in text_of(slot("C3"))


FATES = [
    (
        SlotState.HELD,
        None,
        SlotOut("3 failures in a row, last FAIL P112 NAK"),
        "SLOT OUT",
        Kind.WARN,
    ),
    (SlotState.WAITING, None, LineStopped("6 of the last 10"), "STOPPED", Kind.WARN),
    (SlotState.DONE, Outcome.ERROR, HubFailed("the hub at 1-1"), "HUB FAILED", Kind.BAD),
    (SlotState.AWAY, Outcome.ERROR, HubFailed("the hub at 1-1"), "HUB FAILED", Kind.BAD),
    (SlotState.HELD, None, SlotHeld("bent pin"), "HELD", Kind.OFF),
    (SlotState.WAITING, None, NotArmed("not armed"), "ARM", Kind.ACT),
    (SlotState.WAITING, None, ResumesWhenArmed("it was cut off"), "ARM", Kind.ACT),
    (SlotState.WAITING, None, CampaignRuns("nightly"), "WAIT", Kind.WAIT),
    (SlotState.WAITING, None, ResultsWaiting("2 results"), "WAIT", Kind.WAIT),
    (SlotState.WAITING, None, Stopping("the engine is being stopped"), "WAIT", Kind.WAIT),
    (SlotState.DONE, Outcome.BLOCKED, GoldenFirst("none has passed"), "BLOCKED", Kind.WARN),
    (SlotState.PULLED, Outcome.ERROR, HubFailed("the hub at 1-1"), "PUT BACK", Kind.ACT),
]


@pytest.mark.parametrize(("state", "outcome", "why", "word", "kind"), FATES)
def test_what_slot_line_or_hub_have_done_has_its_own_word_in_large(
    state: SlotState, outcome: Outcome | None, why: StationError, word: str, kind: Kind
) -> None:
    view = SlotView("A1", state, NOW_UTC_US, outcome=outcome, failure=Failure.of(why))
    found = face(view)
    assert (found.word, found.kind) == (word, kind)
    assert 1 <= len(found.short) <= 5
    smallest = large(found.short, 9, 3, False)
    assert smallest
    assert all(row.strip() in text_of(view, 10, 4) for row in smallest)
    assert why.code in text_of(view, 10, 4) or state is SlotState.WAITING


def test_a_slot_that_a_campaign_leaves_alone_names_it_and_asks_for_nothing() -> None:
    why = Failure.of(CampaignRuns("the campaign nightly has not started it"))
    view = SlotView("A1", SlotState.WAITING, NOW_UTC_US, failure=why)
    for columns, rows in ((20, 10), (30, 18)):
        told = " ".join(text_of(view, columns, rows).split())
        assert "the campaign nightly has not started it" in told
        assert "abort" not in told


# --- colours ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(Kind))
def test_text_on_every_ground_can_be_read(kind: Kind) -> None:
    assert contrast(COLOUR.body[kind]) >= 4.5
    assert contrast(COLOUR.accent[kind]) >= 4.5


@pytest.mark.parametrize("style", [COLOUR.screen, COLOUR.strip, COLOUR.selected, COLOUR.dim])
def test_other_text_can_be_read(style: object) -> None:
    assert contrast(style) >= 4.5  # type: ignore[arg-type]  # parametrize hides the type


def test_red_is_for_faults_only() -> None:
    for palette in (COLOUR, PLAIN):
        red = palette.body[Kind.BAD].bgcolor
        assert [kind for kind in Kind if palette.body[kind].bgcolor == red] == [Kind.BAD]


def test_plain_has_eight_colours_and_ascii() -> None:
    for view in STATES:
        for columns, rows in ((10, 4), (20, 10), (40, 18)):
            for strip in draw_tile(Look(view.slot, view, NOW_UTC_US), columns, rows, PLAIN):
                assert strip.text.isascii()
                for segment in strip:
                    style = segment.style
                    assert style is not None
                    for color in (style.color, style.bgcolor):
                        assert color is None or (color.number is not None and color.number < 8)


# --- tiles ------------------------------------------------------------------------------------


@given(
    number=st.integers(0, len(STATES) - 1),
    columns=st.integers(6, 60),
    rows=st.integers(2, 30),
    palette=st.sampled_from([COLOUR, PLAIN]),
    selected=st.booleans(),
    dead=st.booleans(),
)
def test_a_tile_fills_exactly_its_place(
    number: int, columns: int, rows: int, palette: Palette, selected: bool, dead: bool
) -> None:
    view = STATES[number]
    strips = draw_tile(Look(view.slot, view, NOW_UTC_US, selected, dead), columns, rows, palette)
    assert [cell_len(strip.text) for strip in strips] == [columns] * rows


@given(text=st.text(), columns=st.integers(6, 40), rows=st.integers(2, 14))
def test_hostile_text_stays_text(text: str, columns: int, rows: int) -> None:
    """A module has a hand in names; none of them may move the cursor or break the tile."""
    view = SlotView(
        text[:16], SlotState.FLASHING, 0, imei=text, recipe=text, version=text, step=text,
        done_bytes=-1, total_bytes=7, bytes_per_s=-5,
    )  # fmt: skip
    strips = draw_tile(Look(view.slot, view, 1), columns, rows, COLOUR)
    for strip in strips:
        assert strip.text.isprintable()
        assert cell_len(strip.text) == columns


@pytest.mark.parametrize("name", ["B3", "B6", "B8", "D1"])
def test_the_smallest_tile_has_the_verdict_in_large(name: str) -> None:
    """10 by 4 cells is what 32 slots get on 80 by 24."""
    view = slot(name)
    word = large(face(view).short, 9, 3, False)
    assert word
    shown = text_of(view, 10, 4).splitlines()
    assert all(drawn.strip() in row for drawn, row in zip(word, shown[1:], strict=True))


_QUIET = (SlotState.RETURNING, SlotState.WAITING)
FAILED = [view for view in STATES if view.failure and view.state not in _QUIET]


@pytest.mark.parametrize("view", FAILED, ids=lambda v: v.slot)
def test_a_failure_shows_code_headline_and_remedy(view: SlotView) -> None:
    assert view.failure
    shown = text_of(view, 60, 24)
    assert view.failure.code in shown
    if face(view).kind is not Kind.RUN:
        assert view.failure.remedy.split()[0] in shown
        drawn = large(view.failure.headline, 55, 3, False)
        assert drawn[0].strip() in shown or face(view).word == view.failure.headline


def test_a_disabled_slot_says_why_and_what_to_do() -> None:
    moved = Failure.of(HubMoved("hub A is expected at X; it is at Y"))
    shown = text_of(SlotView("A1", SlotState.DISABLED, 0, failure=moved), 60, 24)
    assert "U120" in shown
    assert "hub A is expected at X; it is at Y" in shown
    assert moved.remedy.split()[0] in shown
    assert "HUB MOVED" in text_of(SlotView("A1", SlotState.DISABLED, 0, failure=moved), 20, 6)


def test_a_dead_tile_says_nothing_but_its_slot() -> None:
    for view in STATES:
        assert re.fullmatch(rf" {view.slot}\s+\n(░+ \n?)+", text_of(view, dead=True))


def test_progress_is_a_bar_a_number_and_a_pace() -> None:
    shown = text_of(slot("B1"), 30, 10)
    assert "63 %  4.1 MB/s" in shown
    assert "█" * 10 in shown
    assert "write system" in shown
    assert "0:43" in shown


@pytest.mark.parametrize("columns", [12, 18, 30])
@pytest.mark.parametrize("state", [SlotState.IDENTIFYING, SlotState.FLASHING])
def test_a_module_that_is_tried_again_says_so_and_shows_no_fail(
    state: SlotState, columns: int
) -> None:
    again = replace(slot("A3"), state=state, attempt=2, attempts=3)
    text = text_of(again, columns)
    assert ("TRYING AGAIN 2/3" if columns > 18 else "AGAIN 2/3") in text
    assert "FAIL" not in text
    assert "AGAIN" not in text_of(replace(again, attempt=1))


def test_a_pace_is_shown_when_it_is_known() -> None:
    shown = text_of(replace(slot("B1"), bytes_per_s=0))
    assert "63 %" in shown
    assert "MB/s" not in shown


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("enter_edl", "switching to download"),
        ("reset", "restarting"),
        ("confirm", "waiting for its return"),
        ("program", "writing"),
        ("polish", "polish"),
    ],
)
def test_a_step_is_told_in_words(step: str, told: str) -> None:
    assert told in text_of(replace(slot("B1"), step=step))


@pytest.mark.parametrize(("columns", "rows", "high"), [(30, 10, 3), (30, 14, 5), (40, 21, 5)])
def test_the_number_is_as_large_as_fits_and_above_its_bar(
    columns: int, rows: int, high: int
) -> None:
    shown = text_of(slot("B1"), columns, rows).splitlines()
    number = large("63%", columns - 3, high, False)
    assert len(number) == high
    first = next(y for y, row in enumerate(shown) if number[0].strip() in row)
    assert all(drawn.strip() in row for drawn, row in zip(number, shown[first:], strict=False))
    assert any("░" in row for row in shown[first + high :])
    assert shown[-1].strip(), "the bar and what belongs to it stand at the bottom"


# --- what else a person must not miss, or must not read ---------------------------------------


def test_what_came_back_shows_nothing_of_the_unit_that_went_away() -> None:
    view = slot("C5")
    shown = text_of(view, 40, 18)
    assert view.failure
    for told in (view.imei, view.failure.code, view.recipe, view.version):
        assert told
        assert told not in shown
    assert large("WHO?", 37, 5, False)[0].strip() in shown


def test_already_pass_says_pass_in_large_on_the_smallest_tile() -> None:
    shown = text_of(slot("B4"), 10, 5)
    assert large("PASS", 9, 3, False)[0].strip() in shown
    assert "= ALREADY" in shown


def test_of_a_long_build_the_end_is_shown() -> None:
    view = replace(slot("B3"), version="EC25EFAR06A06M4G_01.002.01.002")
    assert "…06A06M4G_01.002.01.002" in text_of(view, 26, 8)


@pytest.mark.parametrize("view", [view for view in FAILED if view.outcome], ids=lambda v: v.slot)
def test_the_smallest_tile_has_the_code_of_a_verdict(view: SlotView) -> None:
    assert view.failure
    assert view.failure.code in text_of(replace(view, slot="A10"), 10, 4)


def test_a_module_pulled_out_of_the_work_is_called_back_and_time_runs() -> None:
    view = slot("D2")
    found = face(view)
    assert (found.kind, found.word) == (Kind.ACT, "PUT BACK")
    shown = text_of(view, 30, 10)
    assert "0:23" in shown.splitlines()[0]
    assert "63" not in shown
    assert "SLOT D2  0:23" in text_of(view, 20, 6)
    later = "\n".join(
        strip.text for strip in draw_tile(Look("D2", view, NOW_UTC_US + 30_000_000), 30, 10, COLOUR)
    )
    assert "0:00" in later.splitlines()[0]
    assert face(replace(view, put_back_until_utc_us=None)).word == "FLASH"


def test_a_module_that_goes_on_by_itself_says_when() -> None:
    shown = text_of(slot("D3"), 30, 10)
    assert "RESUMES WHEN ARMED" in shown
    assert face(slot("D3")).word == "ARM"


def test_a_held_slot_shows_why() -> None:
    assert "bent pin" in text_of(slot("C7"), 20, 10)


def test_a_module_that_waits_for_the_line_shows_no_code() -> None:
    why = Failure.of(NotFlashed("the line is not armed"))
    view = replace(slot("A4"), failure=why)
    assert why.code not in text_of(view)


@pytest.mark.parametrize("name", ["B6", "C4", "D1"])
def test_a_large_headline_stands_alone(name: str) -> None:
    """A blank row above it, and a column to the stripes."""
    view = slot(name)
    assert view.failure
    rows = text_of(view, 40, 21).splitlines()
    drawn = large(view.failure.headline, 35, 3, False)
    at = next(y for y, row in enumerate(rows) if drawn[0].strip() in row)
    assert not rows[at - 1].strip(" █")
    for row in rows[3:]:
        assert row[1] == row[37] == " "


# --- letters and words ------------------------------------------------------------------------


@given(
    text=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
    columns=st.integers(0, 60),
    rows=st.integers(0, 20),
    plain=st.booleans(),
)
def test_letters_fit_or_are_not_there(text: str, columns: int, rows: int, plain: bool) -> None:
    drawn = large(text, columns, rows, plain)
    assert len(drawn) <= rows
    assert len({len(row) for row in drawn}) <= 1
    assert all(len(row) <= columns for row in drawn)


def test_letters_are_as_large_as_there_is_room() -> None:
    heights = [len(large("PASS", columns, 40, False)) for columns in (9, 15, 30, 60)]
    assert heights == [3, 5, 5, 10]


@given(text=st.text(max_size=300), width=st.integers(1, 50), rows=st.integers(0, 6))
def test_wrapped_text_keeps_to_its_place(text: str, width: int, rows: int) -> None:
    lines = wrapped(text, width, rows)
    assert len(lines) <= rows
    assert all(len(line) <= width for line in lines)


def test_the_first_way_is_whole_before_there_is_another() -> None:
    remedy = "Take the module out, or let the line engineer add a recipe for it."
    assert wrapped(remedy, 17, 4)[-1] == "a recipe for it."
    assert wrapped(remedy, 17, 3) == ["Take the module", "out…"]


def test_all_is_not_said_before_all_is_done() -> None:
    assert percent(99_999_999, 100_000_000) == 99
    assert percent(7, 0) == 0
    assert duration(3_723_000_000) == "1:02:03"
    assert duration(-5) == "0:00"
