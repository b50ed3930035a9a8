"""Lines of a log or a transcript, wrapped, the newest at the bottom."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from textwrap import wrap
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.strip import Strip
from textual.widget import Widget

from station.dashboard.palette import Kind, Palette
from station.dashboard.paper import ink
from station.dashboard.words import as_on_tiles, clock
from station.live import LogLine


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the screen: a line, or a part of one. `good` as in LogLine."""

    text: str
    good: bool | None = None


class LogLines(Widget, can_focus=True):
    """Follows the newest line until a person scrolls up; then it stays where it is."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_back(1)", "Older", show=False),
        Binding("down", "scroll_back(-1)", "Newer", show=False),
        Binding("pageup", "page_back(1)", "Older", show=False),
        Binding("pagedown", "page_back(-1)", "Newer", show=False),
        Binding("home", "oldest", "Oldest", show=False),
        Binding("end", "newest", "Newest", show=False),
    ]

    def __init__(self, palette: Palette, *, with_slot: bool = True) -> None:
        super().__init__()
        self._palette = palette
        self._with_slot = with_slot
        self._lines: tuple[LogLine, ...] = ()
        self._rows: list[_Row] = []
        self._back = 0
        """Rows below the last one shown; 0 follows what comes."""
        self._empty = ""
        self._is_dead = False

    def show(self, lines: Iterable[LogLine], *, empty: str = "", is_dead: bool = False) -> None:
        """Draw these lines, oldest first; `empty` is said when there are none."""
        before, self._lines = self._lines, tuple(lines)
        self._empty, self._is_dead = empty, is_dead
        if self._back:
            self._back += len(self._rows_of(_newer(self._lines, before)))
        self._lay_out()

    # --- scrolling ----------------------------------------------------------------------------

    def action_scroll_back(self, rows: int) -> None:
        self._back += rows
        self._lay_out()

    def action_page_back(self, pages: int) -> None:
        self.action_scroll_back(pages * max(1, self.size.height - 2))

    def action_oldest(self) -> None:
        self.action_scroll_back(len(self._rows))

    def action_newest(self) -> None:
        self.action_scroll_back(-self._back)

    # --- drawing ------------------------------------------------------------------------------

    def on_resize(self) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        self._rows = self._rows_of(self._lines)
        self._back = max(0, min(self._back, len(self._rows) - self.size.height))
        self.refresh()

    def _rows_of(self, lines: Iterable[LogLine]) -> list[_Row]:
        wide = self.size.width
        return [row for line in lines for row in _wrapped(line, wide, self._with_slot)]

    def render_line(self, y: int) -> Strip:
        columns, rows = self.size
        if self._back and y == rows - 1:
            text, style = f" {self._back} newer rows below: End ", self._palette.selected
        else:
            row = self._row_at(y)
            text, style = row.text, self._style_of(row)
        shown = self._palette.text(text, columns)
        return Strip([Segment(shown, style)], columns)

    def _row_at(self, y: int) -> _Row:
        if not self._rows:
            return _Row(f" {self._empty}" if y == 0 else "")
        index = max(0, len(self._rows) - self._back - self.size.height) + y
        return self._rows[index] if index < len(self._rows) else _Row("")

    def _style_of(self, row: _Row) -> Style:
        if self._is_dead:
            return self._palette.dead
        if row.good is None:
            return self._palette.screen
        return ink(self._palette, Kind.GOOD if row.good else Kind.BAD)


def _newer(lines: Sequence[LogLine], before: Sequence[LogLine]) -> Sequence[LogLine]:
    """The lines after the last one that was there before; the others only fell out in front."""
    if not before:
        return ()
    for count, line in enumerate(reversed(lines)):
        if line is before[-1]:
            return lines[len(lines) - count :]
    return lines


_MARKS = {True: "✔", False: "✖", None: " "}


@lru_cache(maxsize=4096)
def _wrapped(line: LogLine, columns: int, with_slot: bool) -> tuple[_Row, ...]:
    slot = f"{line.slot or '':<4} " if with_slot else ""
    head = f" {clock(line.utc_us)} {slot}{_MARKS[line.good]} "
    told = as_on_tiles(line.text) if with_slot else line.text  # a transcript is literal
    text = "".join(char if char.isprintable() else " " for char in told)
    first, *rest = wrap(text, max(columns - len(head), 12), break_on_hyphens=False) or [""]
    return (
        _Row(head + first, line.good),
        *(_Row(" " * len(head) + part, line.good) for part in rest),
    )
