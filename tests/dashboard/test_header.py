"""What the header keeps when there is little room."""

from dataclasses import replace

import pytest

from station.dashboard.header import LARGE_ROWS, SMALL_ROWS, HeaderLook, draw_header
from station.dashboard.palette import COLOUR, PLAIN
from station.live import Counts, LineState, LineView
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
