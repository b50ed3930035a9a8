"""Letters to be read from three metres: five pixels high, drawn with quarters of a cell.

A pixel is so many half cells wide and high; a half cell is twice as high as it is wide, so
(2, 1) makes square pixels and (1, 1) the smallest letters, two cells wide and three high.
"""

from collections.abc import Iterator
from functools import lru_cache

HEIGHT = 5
_GAP = 1
"""Pixels between letters, and between lines."""

_FONT = {
    " ": "..|..|..|..|..",
    "A": ".#.|#.#|###|#.#|#.#",
    "B": "##.|#.#|##.|#.#|##.",
    "C": ".##|#..|#..|#..|.##",
    "D": "##.|#.#|#.#|#.#|##.",
    "E": "###|#..|##.|#..|###",
    "F": "###|#..|##.|#..|#..",
    "G": ".##|#..|#.#|#.#|.##",
    "H": "#.#|#.#|###|#.#|#.#",
    "I": "###|.#.|.#.|.#.|###",
    "J": "..#|..#|..#|#.#|.#.",
    "K": "#.#|#.#|##.|#.#|#.#",
    "L": "#..|#..|#..|#..|###",
    "M": "#...#|##.##|#.#.#|#...#|#...#",
    "N": "#..#|##.#|#.##|#..#|#..#",
    "O": "###|#.#|#.#|#.#|###",
    "P": "###|#.#|###|#..|#..",
    "Q": "###|#.#|#.#|###|..#",
    "R": "##.|#.#|##.|#.#|#.#",
    "S": "###|#..|###|..#|###",
    "T": "###|.#.|.#.|.#.|.#.",
    "U": "#.#|#.#|#.#|#.#|###",
    "V": "#.#|#.#|#.#|#.#|.#.",
    "W": "#...#|#...#|#.#.#|##.##|#...#",
    "X": "#.#|#.#|.#.|#.#|#.#",
    "Y": "#.#|#.#|.#.|.#.|.#.",
    "Z": "###|..#|.#.|#..|###",
    "0": "###|#.#|#.#|#.#|###",
    "1": ".#.|##.|.#.|.#.|###",
    "2": "###|..#|###|#..|###",
    "3": "###|..#|###|..#|###",
    "4": "#.#|#.#|###|..#|..#",
    "5": "###|#..|###|..#|###",
    "6": "###|#..|###|#.#|###",
    "7": "###|..#|..#|.#.|.#.",
    "8": "###|#.#|###|#.#|###",
    "9": "###|#.#|###|..#|###",
    "-": "...|...|###|...|...",
    "_": "...|...|...|...|###",
    ".": ".|.|.|.|#",
    ",": ".|.|.|#|#",
    ":": ".|#|.|#|.",
    "/": "..#|..#|.#.|#..|#..",
    "+": "...|.#.|###|.#.|...",
    "=": "...|###|...|###|...",
    "%": "#..|..#|.#.|#..|..#",
    "*": "..#..|#.#.#|.###.|#.#.#|..#..",
    "…": ".....|.....|.....|.....|#.#.#",
    "!": "#|#|#|.|#",
    "?": "##.|..#|.#.|...|.#.",
    "(": ".#|#.|#.|#.|.#",
    ")": "#.|.#|.#|.#|#.",
    "✔": "....#|...#.|#.#..|.#...|.....",
    "✖": "#...#|.#.#.|..#..|.#.#.|#...#",
    "⚠": "..#..|.#.#.|.###.|#...#|#####",
    "▲": "..#..|.###.|#####|..#..|..#..",
    "▼": "..#..|..#..|#####|.###.|..#..",
    "▶": "#....|###..|#####|###..|#....",
    "◇": "..#..|.#.#.|#...#|.#.#.|..#..",
    "○": ".###.|#...#|#...#|#...#|.###.",
}
_UNKNOWN = "###|#.#|#.#|#.#|###"

_QUARTERS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"
"""By bits: upper left 1, upper right 2, lower left 4, lower right 8."""

_SIZES = ((8, 4), (6, 3), (6, 2), (4, 2), (3, 2), (2, 2), (2, 1), (1, 1))
_PLAIN_SIZES = ((8, 4), (4, 2), (2, 2))
"""Whole cells only, drawn as #."""


@lru_cache(4096)
def large(text: str, columns: int, rows: int, plain: bool) -> tuple[str, ...]:
    """The text as large as fits, on one line or wrapped at its blanks; () when it does not fit.

    All rows have the same number of cells, at most `columns`; at most `rows` of them.
    """
    text = " ".join(text.upper().split())
    for size in _PLAIN_SIZES if plain else _SIZES:
        for lines in _wraps(text):
            drawn = _draw(lines, size, plain)
            if drawn and len(drawn) <= rows and len(drawn[0]) <= columns:
                return drawn
    return ()


def _wraps(text: str) -> Iterator[tuple[str, ...]]:
    """On one line; on two, the most even first; a word a line."""
    words = text.split()
    yield (text,)
    halves = [(" ".join(words[:cut]), " ".join(words[cut:])) for cut in range(1, len(words))]
    yield from sorted(halves, key=lambda half: max(map(len, half)))
    if len(words) > 2:
        yield tuple(words)


def _draw(lines: tuple[str, ...], size: tuple[int, int], plain: bool) -> tuple[str, ...]:
    """`size`: half cells of a pixel, across and down. Lines are centred on each other."""
    bitmaps = [_bitmap(line) for line in lines]
    width = max(len(bitmap[0]) for bitmap in bitmaps)
    if not width:
        return ()
    pixels: list[str] = []
    for bitmap in bitmaps:
        if pixels:
            pixels.extend(["." * width] * _GAP)
        pixels.extend(row.center(width, ".") for row in bitmap)
    across, down = size
    halves = ["".join(p * across for p in row) for row in pixels for _ in range(down)]
    return _cells(halves, plain)


def _bitmap(line: str) -> list[str]:
    glyphs = [_FONT.get(char, _UNKNOWN).split("|") for char in line]
    gap = "." * _GAP
    return [gap.join(glyph[row] for glyph in glyphs) for row in range(HEIGHT)]


def _cells(halves: list[str], plain: bool) -> tuple[str, ...]:
    """Two by two half cells make a cell."""
    if len(halves) % 2:
        halves = [*halves, "." * len(halves[0])]
    if len(halves[0]) % 2:
        halves = [f"{row}." for row in halves]
    rows = []
    for top, bottom in zip(halves[::2], halves[1::2], strict=True):
        quarters = zip(top[::2], top[1::2], bottom[::2], bottom[1::2], strict=True)
        bits = (
            (a == "#") + 2 * (b == "#") + 4 * (c == "#") + 8 * (d == "#") for a, b, c, d in quarters
        )
        rows.append("".join("#" if plain and bit else _QUARTERS[bit] for bit in bits))
    return tuple(rows)
