"""The keys that work here, in the last line of the screen."""

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from station.dashboard.painted import Painted
from station.dashboard.palette import Palette


class KeyLine(Painted):
    """Keys with their meaning, as many as fit; the most important come first."""

    DEFAULT_CSS = "KeyLine { dock: bottom; height: 1; }"

    def __init__(self, palette: Palette, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__(palette)
        self.keys = tuple(keys)

    def show(self, keys: Sequence[tuple[str, str]]) -> None:
        """Show these from now on."""
        self.keys = tuple(keys)
        self.look_like(self.keys)

    def draw(self, columns: int, rows: int) -> list[Strip]:
        """One row."""
        palette = self.palette
        ground = palette.strip
        segments: list[Segment] = []
        room = columns
        for key, meaning in self.keys:
            if len(key) + len(meaning) + 3 > room:
                break
            room -= len(key) + len(meaning) + 3
            segments.append(Segment(f" {palette.text(key)}", ground + Style(bold=True)))
            segments.append(Segment(f" {palette.text(meaning)} ", ground + Style(dim=True)))
        return [Strip(segments).adjust_cell_length(columns, ground)][:rows]
