"""Widgets that draw their own lines, again only when what they show is another thing."""

from abc import abstractmethod
from collections.abc import Sequence
from itertools import zip_longest

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from station.dashboard.block_letters import large
from station.dashboard.palette import Palette

_GROUND = Color(0, 0, 0)
"""For a filter, where a style has no ground of its own; all of ours have."""


class Painted(Widget):
    """Keeps its drawing until `look` changes; `look` is all that the drawing depends on."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        self._look: object = None
        self._size_drawn: Size | None = None
        self._strips: list[Strip] = []

    @abstractmethod
    def draw(self, columns: int, rows: int) -> list[Strip]:
        """The drawing of what is shown now, at most so many rows of so many cells."""

    def look_like(self, look: object) -> None:
        """Draw anew if this differs from the last time, and show the lines that differ."""
        if look == self._look:
            return
        self._look = look
        size = self.size
        before = self._strips if self._size_drawn == size else []
        self._draw_now(size)
        changed = [
            Region(0, y, size.width, 1)
            for y, (old, new) in enumerate(zip_longest(before, self._strips))
            if old != new
        ]
        if changed:
            self.refresh(*changed)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The drawing as it is: no border, padding or tint is ever laid over it, and looking for
        them in each line is most of what Textual's own way costs."""
        size = self.size
        if self._size_drawn != size:
            self._draw_now(size)
        blank = Strip.blank(size.width, self.palette.screen)
        strips = [self._strips[y] if y < len(self._strips) else blank for y in crop.line_range]
        for line_filter in self.get_line_filters():
            strips = [strip.apply_filter(line_filter, _GROUND) for strip in strips]
        if crop.column_span != (0, size.width):
            strips = [strip.crop(*crop.column_span) for strip in strips]
        return strips

    def _draw_now(self, size: Size) -> None:
        columns, rows = self._size_drawn = size
        strips = self.draw(columns, rows) if columns and rows else []
        self._strips = [strip.adjust_cell_length(columns, self.palette.screen) for strip in strips]


def row(parts: Sequence[tuple[str, Style]], columns: int, ground: Style, palette: Palette) -> Strip:
    """Texts side by side, cut and filled up to exactly so many cells."""
    segments = [Segment(palette.text(text), ground + style) for text, style in parts]
    return Strip(segments).adjust_cell_length(columns, ground)


def panel(text: str, rows: int, style: Style, palette: Palette) -> list[Segment]:
    """A coloured field with the text as large as its height allows; one segment a row."""
    drawn = large(text, 80, rows, palette.plain) if rows > 1 else ()
    drawn = drawn or (palette.text(text),)
    width = max(map(len, drawn)) + 2
    above = (rows - len(drawn)) // 2
    lines = ["", *[""] * (above - 1), *drawn] if above else list(drawn)
    lines += [""] * (rows - len(lines))
    bold = style + Style(bold=True)
    return [Segment(f" {line}".ljust(width), bold) for line in lines[:rows]]
