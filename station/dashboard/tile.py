"""A tile: everything about one slot, always in the same place."""

from dataclasses import dataclass
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from station.dashboard.block_letters import large
from station.dashboard.face import face, is_pulled_out, shown
from station.dashboard.painted import Painted
from station.dashboard.palette import Kind, Palette
from station.dashboard.tile_body import LARGE_ROWS, Line, body, unit
from station.dashboard.words import cut, duration, moment, percent, time_left
from station.live import SlotState, SlotView

MIN_COLUMNS = 6
MIN_ROWS = 2
_ROOMY_ROWS = 9
_ROOMY_COLUMNS = 18
_STRIPED_COLUMNS = 14
_AIRY_COLUMNS = 20
"""Room for a column between the stripes and what stands there."""


@dataclass(frozen=True, slots=True)
class Look:
    """All that the drawing of a tile depends on. `view` None: nothing is known of the slot."""

    slot: str
    view: SlotView | None
    now_utc_us: int
    selected: bool = False
    dead: bool = False
    """What is known is old: no colours, no verdict."""


def draw_tile(look: Look, columns: int, rows: int, palette: Palette) -> list[Strip]:
    """The tile, `columns` by `rows` cells; its last column is the gap to the next tile."""
    width = columns - 1
    gap = Segment(" ", palette.screen)
    if look.dead or look.view is None:
        lines = _dead(look, width, rows, palette)
    else:
        lines = _alive(look, shown(look.view), width, rows, palette)
    return [_kept((*segments, gap), columns) for segments in lines[:rows]]


@lru_cache(4096)
def _kept(segments: tuple[Segment, ...], columns: int) -> Strip:
    """Lines that were drawn before are the same object: most of a tile does not change, and a
    strip remembers what it made of itself."""
    return Strip(segments, columns)


def _alive(
    look: Look, view: SlotView, width: int, rows: int, palette: Palette
) -> list[list[Segment]]:
    number = large(look.slot, width // 2, LARGE_ROWS, palette.plain)
    if rows >= _ROOMY_ROWS and width >= _ROOMY_COLUMNS and len(number) == LARGE_ROWS:
        strip, named = _roomy_strip(look, view, number, width, palette), True
    else:
        strip, named = _strip(look, view, width, palette)
    return strip + _ground(view, look.now_utc_us, width, rows - len(strip), palette, not named)


# --- the strip: slot, shape, unit, code or time -----------------------------------------------


def _strip(
    look: Look, view: SlotView, width: int, palette: Palette
) -> tuple[list[list[Segment]], bool]:
    """One line; and whether the unit's name had room in it."""
    style = palette.selected if look.selected else palette.strip + Style(bold=True)
    accent = palette.selected if look.selected else palette.accent[face(view).kind]
    left = f"{'▶' if look.selected else ' '}{look.slot} "
    shape, right = _shape(view), _corner(view, look.now_utc_us)
    if len(left) + len(shape) + len(right) > width and view.failure:
        left = left.rstrip()  # rather than the code
    if len(left) + len(shape) + len(right) > width:
        right = ""
    if len(left) + len(shape) > width:
        shape = ""
    middle = width - len(left) - len(shape) - len(right)
    name = unit(view, middle - 2)
    name = name if len(name) <= middle - 2 else ""
    segments = [
        Segment(palette.text(left, min(len(left), width)), style),
        Segment(palette.text(shape), accent),
        Segment(palette.text(f" {name}", middle), style + Style(bold=False)),
        Segment(palette.text(right), accent),
    ]
    return [segments], bool(name)


def _roomy_strip(
    look: Look, view: SlotView, number: tuple[str, ...], width: int, palette: Palette
) -> list[list[Segment]]:
    style = palette.selected if look.selected else palette.strip
    accent = palette.selected if look.selected else palette.accent[face(view).kind]
    left = len(number[0]) + 2
    right = width - left - 1
    texts = (
        f"{_shape(view)} {_corner(view, look.now_utc_us)}",
        unit(view, right),
        cut(view.recipe or view.port_path or "", right),
    )
    marks = ("▶", " ", " ") if look.selected else (" ", " ", " ")
    styles = (accent, style, style)
    return [
        [
            Segment(palette.text(f"{mark}{row} "), style),
            Segment(palette.text(text, right), own),
            Segment(" ", style),
        ]
        for mark, row, text, own in zip(marks, number, texts, styles, strict=True)
    ]


def _shape(view: SlotView) -> str:
    if view.total_bytes <= 0 or not view.state.is_busy or is_pulled_out(view):
        return face(view).shape
    return "◔◑◕●"[min(percent(view.done_bytes, view.total_bytes) // 30, 3)]


def _corner(view: SlotView, now_utc_us: int) -> str:
    """The failure's code; else how long it works, or is waited for; else when it ended."""
    if is_pulled_out(view):
        return time_left(view.put_back_until_utc_us, now_utc_us)
    if view.state.is_busy:
        return duration(now_utc_us - (view.began_utc_us or view.since_utc_us))
    if view.failure and view.state is not SlotState.WAITING:
        return view.failure.code
    return moment(view.ended_utc_us, now_utc_us) if view.ended_utc_us else ""


# --- the ground -------------------------------------------------------------------------------


def _ground(
    view: SlotView, now_utc_us: int, width: int, rows: int, palette: Palette, with_unit: bool
) -> list[list[Segment]]:
    kind = face(view).kind
    style = palette.body[kind]
    edge = 1 if width >= _STRIPED_COLUMNS else 0
    air = 1 if width >= _AIRY_COLUMNS and kind is Kind.BAD else 0
    inner = width - 2 * edge - 2 * air
    lines = body(view, now_utc_us, inner, rows, palette, with_unit)
    beside = Segment(" " * air, style)
    above = (rows - len(lines)) // 2 if kind is not Kind.RUN else 0
    lines = [Line("")] * above + lines
    lines += [Line("")] * (rows - len(lines))
    return [
        [
            _edge(kind, number, edge, palette),
            beside,
            *_cells(line, inner, style, palette),
            beside,
            _edge(kind, number, edge, palette),
        ]
        for number, line in enumerate(lines[:rows])
    ]


def _edge(kind: Kind, number: int, edge: int, palette: Palette) -> Segment:
    """Faults have a striped border: a shape that no other kind has."""
    striped = edge and kind is Kind.BAD and number % 2
    return Segment(palette.text("█" if striped else " ") * edge, palette.body[kind])


def _cells(line: Line, width: int, style: Style, palette: Palette) -> list[Segment]:
    text = palette.text(line.text)
    if not line.centred:
        return [Segment(palette.text(line.text, width), style + line.style)]
    long = min(cell_len(text), width)
    left = (width - long) // 2
    return [
        Segment(" " * left, style),
        Segment(palette.text(text, long), style + line.style),
        Segment(" " * (width - left - long), style),
    ]


def _dead(look: Look, width: int, rows: int, palette: Palette) -> list[list[Segment]]:
    name = palette.text(f"{'▶' if look.selected else ' '}{look.slot} ", width)
    hatched = palette.text("░" * width)
    return [
        [Segment(name, palette.dead + Style(reverse=look.selected))],
        *([Segment(hatched, palette.dead)] for _ in range(rows - 1)),
    ]


# --- the widget -------------------------------------------------------------------------------


class Tile(Painted):
    """Shows one slot."""

    DEFAULT_CSS = "Tile { width: 1fr; height: 1fr; }"

    def __init__(self, slot: str, palette: Palette) -> None:
        super().__init__(palette)
        self.slot = slot
        self._shown = Look(slot, None, 0, dead=True)

    def show(self, view: SlotView | None, now_utc_us: int, selected: bool, dead: bool) -> None:
        """Show this from now on. `now_utc_us` is the engine's clock."""
        step_us = 1_000_000 if view and _has_running_clock(view) else 3_600_000_000
        self._shown = Look(self.slot, view, now_utc_us // step_us * step_us, selected, dead)
        self.look_like(self._shown)

    def draw(self, columns: int, rows: int) -> list[Strip]:
        """See `draw_tile`."""
        return draw_tile(self._shown, columns, rows, self.palette)


def _has_running_clock(view: SlotView) -> bool:
    return view.state.is_busy or view.state is SlotState.SETTLING
