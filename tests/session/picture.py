"""A terminal as a picture: SVG that looks the same with whatever fonts it is shown.

Blocks are drawn as shapes, not as letters: no font has them without gaps between the lines.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

from rich.ansi import AnsiDecoder
from rich.color import Color
from rich.console import Console
from rich.style import Style

from tests.session.terminal import Pane

ACROSS, DOWN = 10, 20
"""Units of a cell. Even: a quarter of a cell is drawn, too."""
MARGIN = 10
BASELINE = 15
FONT = "DejaVu Sans Mono, Menlo, Consolas, monospace"
INK, GROUND = "#e8e8e8", "#000000"

_QUARTERS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"
"""By bits: upper left 1, upper right 2, lower left 4, lower right 8."""
_EIGHTHS = "▏▎▍▌▋▊▉"
_SHADES = {"░": 0.25, "▒": 0.5}
_LINES = {"─": "lr", "│": "ud", "┌": "rd", "┐": "ld", "└": "ru", "┘": "lu"}

Box = tuple[float, float, float, float]
"""x, y, width, height."""


@dataclass(frozen=True, slots=True)
class Cell:
    column: int
    row: int
    char: str
    ink: str
    ground: str
    bold: bool


def svg(pane: Pane) -> str:
    """The pane with a margin, as large as it is filled."""
    cells = list(_cells(pane))
    columns, rows = (
        max(last) + 1 for last in zip(*((c.column, c.row) for c in cells), strict=True)
    )
    width, height = columns * ACROSS + 2 * MARGIN, rows * DOWN + 2 * MARGIN
    drawn = "\n".join((*_boxes(cells), *_texts(cells)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="{FONT}" font-size="16.5">\n'
        f'<rect width="{width}" height="{height}" rx="8" fill="{GROUND}"/>\n'
        f'<g transform="translate({MARGIN} {MARGIN})">\n{drawn}\n</g>\n</svg>\n'
    )


def _cells(pane: Pane) -> Iterator[Cell]:
    console = Console()
    for row, line in enumerate(AnsiDecoder().decode(pane.coloured)):
        column = 0
        for text, style, _ in line.render(console):
            style = style or Style()
            ink, ground = _hex(style.color, INK), _hex(style.bgcolor, GROUND)
            if style.reverse:
                ink, ground = ground, ink
            for char in text.rstrip("\n"):
                yield Cell(column, row, char, ink, ground, bool(style.bold))
                column += 1


def _hex(color: Color | None, otherwise: str) -> str:
    return otherwise if color is None or color.is_default else color.get_truecolor().hex


# --- grounds and blocks -----------------------------------------------------------------------


def _boxes(cells: list[Cell]) -> Iterator[str]:
    """A path for each colour: first the grounds, then what is drawn on them."""
    grounds: defaultdict[str, list[Box]] = defaultdict(list)
    for cell in cells:
        if cell.ground != GROUND:
            grounds[cell.ground].append((cell.column * ACROSS, cell.row * DOWN, ACROSS, DOWN))
    blocks: defaultdict[tuple[str, float], list[Box]] = defaultdict(list)
    for cell in cells:
        for x, y, width, height in _block(cell.char):
            box = (cell.column * ACROSS + x, cell.row * DOWN + y, width, height)
            blocks[cell.ink, _SHADES.get(cell.char, 1)].append(box)
    yield from (_path(boxes, colour, 1) for colour, boxes in grounds.items())
    yield from (_path(boxes, *how) for how, boxes in blocks.items())


def _block(char: str) -> list[Box]:
    """What a cell is filled with; nothing for letters."""
    half, middle = ACROSS / 2, DOWN / 2
    if char in _SHADES:
        return [(0, 0, ACROSS, DOWN)]
    if char in _EIGHTHS:
        return [(0, 0, ACROSS * (_EIGHTHS.index(char) + 1) / 8, DOWN)]
    if char in _LINES:
        ends = _LINES[char]
        x, y = half * ("l" not in ends), middle * ("u" not in ends)
        across = (x, middle - 1, half * (("l" in ends) + ("r" in ends)), 2)
        down = (half - 1, y, 2, middle * (("u" in ends) + ("d" in ends)))
        return [box for box in (across, down) if box[2] and box[3]]
    bits = _QUARTERS.find(char)
    places = ((1, 0, 0), (2, half, 0), (4, 0, middle), (8, half, middle))
    return [(x, y, half, middle) for bit, x, y in places if bits > 0 and bits & bit]


def _path(boxes: list[Box], colour: str, opacity: float) -> str:
    drawn = "".join(f"M{x:g} {y:g}h{w:g}v{h:g}h{-w:g}z" for x, y, w, h in _joined(boxes))
    faint = f' fill-opacity="{opacity}"' if opacity < 1 else ""
    return f'<path fill="{colour}"{faint} shape-rendering="crispEdges" d="{drawn}"/>'


def _joined(boxes: list[Box]) -> list[Box]:
    """Boxes side by side as one, then those below each other: no seams, and less of them."""
    return _rows_joined([_turned(box) for box in _rows_joined(list(map(_turned, boxes)))])


def _turned(box: Box) -> Box:
    x, y, width, height = box
    return y, x, height, width


def _rows_joined(boxes: list[Box]) -> list[Box]:
    joined: list[Box] = []
    for x, y, width, height in sorted(boxes, key=lambda box: (box[1], box[3], box[0])):
        if joined:
            last_x, last_y, last_width, last_height = joined[-1]
            if (last_y, last_height, last_x + last_width) == (y, height, x):
                joined[-1] = (last_x, y, last_width + width, height)
                continue
        joined.append((x, y, width, height))
    return joined


# --- letters ----------------------------------------------------------------------------------


def _texts(cells: list[Cell]) -> Iterator[str]:
    """Words in their cells, and each other sign for itself: its font may be another."""
    letters = [cell for cell in cells if cell.char != " " and not _block(cell.char)]
    run: list[Cell] = []
    for cell in letters:
        if run and not _continues(run[-1], cell):
            yield _text(run)
            run = []
        run.append(cell)
    if run:
        yield _text(run)


def _continues(last: Cell, cell: Cell) -> bool:
    one_look = (last.row, last.ink, last.bold) == (cell.row, cell.ink, cell.bold)
    ascii_only = last.char.isascii() and cell.char.isascii()
    return one_look and ascii_only and last.column + 1 == cell.column


def _text(run: list[Cell]) -> str:
    x, y = run[0].column * ACROSS, run[0].row * DOWN + BASELINE
    bold = ' font-weight="bold"' if run[0].bold else ""
    length = f' textLength="{len(run) * ACROSS}"' if len(run) > 1 else ""
    word = escape("".join(cell.char for cell in run))
    return f'<text x="{x}" y="{y}" fill="{run[0].ink}"{bold}{length}>{word}</text>'
