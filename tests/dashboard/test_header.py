"""What the header keeps when there is little room."""

from dataclasses import replace

import pytest

from station.dashboard.block_letters import large
from station.dashboard.header import (
    LARGE_ROWS,
    SMALL_ROWS,
    HeaderLook,
    draw_header,
    state_face,
    tally,
)
from station.dashboard.palette import COLOUR, PLAIN, Kind
from station.errors import CampaignRuns, LineStopped, UnmappedPort
from station.live import Alarm, Counts, LineState, LineView, ShiftView, SlotState, SlotView
from station.model import Failure
from tests.dashboard.stage import EC25

LINE = LineView(
    LineState.ARMED,
    "maria",
    (EC25,),
    "EC25EFA-512-STD",
    500,
    Counts(good=123, first=120, first_pass=114),
    expected=8,
)


def shown(line: LineView, columns: int, rows: int, *, plain: bool = False) -> str:
    """The header as text; every row is exactly as wide as the screen."""
    look = HeaderLook("LINE 3", "10:42:31", line, (), None)
    strips = draw_header(look, line, columns, rows, PLAIN if plain else COLOUR)
    assert [strip.cell_length for strip in strips] == [columns] * rows
    return "\n".join(strip.text for strip in strips)


@pytest.mark.parametrize("operator", ["x" * 64, "山田" * 32, "Maria Magdalena von und zu Graz"])
@pytest.mark.parametrize(
    ("columns", "rows"), [(80, SMALL_ROWS), (120, LARGE_ROWS), (160, LARGE_ROWS)]
)
@pytest.mark.parametrize("plain", [False, True])
def test_a_long_name_does_not_push_out_the_numbers(
    operator: str, columns: int, rows: int, plain: bool
) -> None:
    text = shown(replace(LINE, operator=operator), columns, rows, plain=plain)
    assert "123/500 good" in text
    assert "first pass 95 % of 120" in text
    assert (operator[:3] in text) or plain


def test_a_name_that_is_cut_says_so() -> None:
    assert "xxx…" in shown(replace(LINE, operator="x" * 64), 80, SMALL_ROWS)
    assert "maria   123/500 good" in shown(LINE, 80, SMALL_ROWS)


def test_with_room_the_tray_and_the_sku_on_the_label_are_named() -> None:
    text = shown(LINE, 160, LARGE_ROWS)
    assert "tray of 8   SKU EC25EFA-512-STD" in text


def stopped(state: LineState) -> LineView:
    why = "6 of the last 10 units are good, 60 % where 80 % are wanted: P112 x 4"
    alarm = Alarm(LineStopped.code, LineStopped.headline, why, LineStopped.remedy, 0)
    return replace(LINE, state=state, alarms=(alarm,))


def test_an_armed_line_that_was_stopped_says_so_in_large() -> None:
    assert state_face(stopped(LineState.ARMED)) == (Kind.BAD, "STOPPED")
    assert state_face(stopped(LineState.DISARMED)) == (Kind.ACT, "NOT ARMED")
    assert state_face(LINE) == (Kind.RUN, "ARMED")
    text = shown(stopped(LineState.ARMED), 160, LARGE_ROWS)
    letters = [row.strip() for row in large("STOPPED", 80, SMALL_ROWS, False)]
    assert all(row in line for row, line in zip(letters, text.splitlines(), strict=False))
    assert "LINE STOPPED" in text
    assert "Call the line engineer" in shown(stopped(LineState.ARMED), 120, LARGE_ROWS)


def test_a_stop_is_red_where_a_missing_module_is_not() -> None:
    look = HeaderLook("LINE 3", "10:42:31", LINE, (), None)
    grounds = []
    for line in (stopped(LineState.ARMED), replace(LINE, alarms=(_MISSING,))):
        last = draw_header(look, line, 120, LARGE_ROWS, COLOUR)[-1]
        style = next(iter(last)).style
        grounds.append(None if style is None else style.bgcolor)
    assert grounds == [COLOUR.body[Kind.BAD].bgcolor, COLOUR.body[Kind.WARN].bgcolor]


_MISSING = Alarm("L609", "MODULE MISSING", "2 of 32 are not on USB.", "Reseat them.", 0)
_DISK = Alarm("S507", "DISK TROUBLE", "It is full.", "Make room on the disk.", 0)
_PORT = Alarm(UnmappedPort.code, UnmappedPort.headline, "1-4", UnmappedPort.remedy, 0)


@pytest.mark.parametrize("state", [LineState.ARMED, LineState.DISARMED])
@pytest.mark.parametrize("alarm", [_MISSING, _PORT], ids=lambda alarm: alarm.code)
def test_on_few_rows_what_to_do_takes_a_second_one(alarm: Alarm, state: LineState) -> None:
    line = replace(LINE, state=state, alarms=(alarm,))
    rows = shown(line, 80, SMALL_ROWS).splitlines()
    told = {word.strip(",…") for word in " ".join(rows[1:]).split()}
    for word in alarm.remedy.split(", or ")[0].split():
        assert word in told
    assert rows[-1].endswith(" (!) ")


def test_a_short_alarm_leaves_the_numbers_where_they_are() -> None:
    text = shown(replace(LINE, alarms=(_MISSING,)), 80, SMALL_ROWS)
    assert "Reseat them." in text
    assert "123/500 good" in text
    assert "on the disk." in shown(replace(LINE, alarms=(_DISK,)), 80, SMALL_ROWS)


def test_who_is_on_shift_is_shown_and_the_lot_where_there_is_room() -> None:
    line = replace(LINE, shift=ShiftView("jan", 1), lot="PO-77")
    assert "jan" in shown(line, 120, 5)
    assert "maria" not in shown(line, 120, 5)
    assert "lot PO-77" in shown(line, 160, 5)
    assert "no operator" in shown(replace(LINE, operator=None), 120, 5)


def test_a_campaign_is_named_and_who_waits_for_it_needs_nobody() -> None:
    line = replace(LINE, campaign="nightly", shift=ShiftView("jan", 1))
    assert state_face(line) == (Kind.RUN, "CAMPAIGN")
    text = shown(line, 80, SMALL_ROWS)
    letters = [row.strip() for row in large("CAMPAIGN", 80, SMALL_ROWS, False)]
    assert all(row in drawn for row, drawn in zip(letters, text.splitlines(), strict=True))
    assert "nightly   123/500 good" in text
    assert "jan" not in text
    waits = SlotView("A1", SlotState.WAITING, 0, failure=Failure.of(CampaignRuns("nightly")))
    look = HeaderLook("LINE 3", "10:42:31", line, tally([waits] * 6), None)
    row = draw_header(look, line, 80, SMALL_ROWS, COLOUR)[-1].text
    assert "◔ 6 waiting" in row
    assert "need you" not in row
