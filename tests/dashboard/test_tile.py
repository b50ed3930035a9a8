"""What a tile says: one face for every state and outcome, readable, and never out of its place."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from station.dashboard.block_letters import large
from station.dashboard.face import VERDICTS, face, face_of
from station.dashboard.palette import COLOUR, PLAIN, Kind, Palette, contrast
from station.dashboard.tile import Look, draw_tile
from station.dashboard.words import duration, percent, wrapped
from station.live import SlotState, SlotView
from station.model import Outcome
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


@pytest.mark.parametrize("view", [view for view in STATES if view.failure], ids=lambda v: v.slot)
def test_a_failure_shows_code_headline_and_remedy(view: SlotView) -> None:
    assert view.failure
    shown = text_of(view, 60, 24)
    assert view.failure.code in shown
    if face(view).kind is not Kind.RUN:
        assert view.failure.remedy.split()[0] in shown
        drawn = large(view.failure.headline, 57, 3, False)
        assert drawn[0].strip() in shown or face(view).word == view.failure.headline


def test_a_dead_tile_says_nothing_but_its_slot() -> None:
    for view in STATES:
        assert re.fullmatch(rf" {view.slot}\s+\n(░+ \n?)+", text_of(view, dead=True))


def test_progress_is_a_bar_a_number_and_a_pace() -> None:
    shown = text_of(slot("B1"), 30, 10)
    assert "63 %  4.1 MB/s" in shown
    assert "█" * 10 in shown
    assert "write system" in shown
    assert "0:43" in shown


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


def test_all_is_not_said_before_all_is_done() -> None:
    assert percent(99_999_999, 100_000_000) == 99
    assert percent(7, 0) == 0
    assert duration(3_723_000_000) == "1:02:03"
    assert duration(-5) == "0:00"
