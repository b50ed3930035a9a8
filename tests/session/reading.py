"""Reads a screen as people do: words in any size, slot by slot, and the colours below them."""

from collections.abc import Iterable, Iterator

from station.dashboard.block_letters import large
from station.dashboard.face import STATES, VERDICTS, Face, face
from station.dashboard.header import LARGE_ROWS, SMALL_ROWS
from station.dashboard.palette import COLOUR, Kind
from station.errors import StationError
from station.live import Earlier, SlotState, SlotView
from station.model import Outcome
from tests.session.terminal import Pane

ACROSS, DOWN = 4, 2
"""How the eight slots of a demo lie."""
SLOTS = tuple(f"A{number}" for number in range(1, ACROSS * DOWN + 1))

ARM = STATES[SlotState.WAITING]
EMPTY = STATES[SlotState.EMPTY]
PUT_BACK = STATES[SlotState.PULLED]
PASS, FAIL = VERDICTS[Outcome.PASS], VERDICTS[Outcome.FAIL]
ALREADY_PASS = face(
    SlotView(
        "A1", SlotState.DONE, 0, outcome=Outcome.NO_CHANGE, earlier=Earlier(Outcome.PASS, "A1", 0)
    )
)

_ROOMY_ROWS = 36


def region(pane: Pane, slot: str, columns: int = 120, rows: int = 40) -> list[str]:
    """The lines of a slot's tile, padded to its width."""
    above = LARGE_ROWS if rows >= _ROOMY_ROWS else SMALL_ROWS
    width, height = columns // ACROSS, (rows - above - 1) // DOWN
    y, x = divmod(SLOTS.index(slot), ACROSS)
    lines = pane.lines[above + y * height : above + (y + 1) * height]
    return [line.ljust(columns)[x * width : (x + 1) * width] for line in lines]


def says(lines: list[str], word: str) -> bool:
    """The word stands there, in letters of whatever size."""
    if word in " ".join(" ".join(lines).split()):
        return True
    columns = max(map(len, lines), default=0)
    padded = [line.ljust(columns) for line in lines]
    return any(_stands(drawn, padded) for drawn in _sizes(word, columns, len(lines)))


def shows(pane: Pane, slot: str, wanted: Face, columns: int = 120, rows: int = 40) -> bool:
    """The tile of the slot has this shape in its strip and below it the word."""
    tile = region(pane, slot, columns, rows)
    words = (f"{wanted.shape} {wanted.word}", wanted.word, wanted.short, wanted.word.lower())
    return wanted.shape in tile[0] and any(says(tile[1:], word) for word in words)


def header(pane: Pane, word: str) -> bool:
    """The word stands above the tray."""
    return says(pane.lines[:LARGE_ROWS], word)


def all_show(pane: Pane, slots: Iterable[str], wanted: Face) -> bool:
    """See `shows`, of each of these slots."""
    return all(shows(pane, slot, wanted) for slot in slots)


def told(pane: Pane, slot: str, verdict: Face, why: type[StationError]) -> bool:
    """The slot shows the verdict, the headline of the error and its code."""
    tile = region(pane, slot)
    return shows(pane, slot, verdict) and why.code in tile[0] and says(tile, why.headline)


def grounds(pane: Pane) -> set[Kind]:
    """The kinds in whose colours something is painted below the header."""
    below = "\n".join(pane.coloured.split("\n")[LARGE_ROWS:])
    return {kind for kind, colour in _COLOURS.items() if colour in below}


def _colour(kind: Kind) -> str:
    ground = COLOUR.body[kind].bgcolor
    assert ground is not None
    return "48;2;{};{};{}".format(*ground.get_truecolor())


_COLOURS = {kind: _colour(kind) for kind in (Kind.GOOD, Kind.BAD, Kind.WARN, Kind.ACT)}


def _sizes(word: str, columns: int, rows: int) -> Iterator[tuple[str, ...]]:
    """Every way in which the word is drawn in so much room, the largest first."""
    rooms, tried = [(columns, rows)], set()
    while rooms:
        room = rooms.pop(0)
        drawn = large(word, *room, plain=False)
        if not drawn or drawn in tried:
            continue
        tried.add(drawn)
        yield drawn
        rooms += [(len(drawn[0]) - 1, room[1]), (room[0], len(drawn) - 1)]


def _stands(drawn: tuple[str, ...], lines: list[str]) -> bool:
    first = drawn[0]
    for y in range(len(lines) - len(drawn) + 1):
        x = lines[y].find(first)
        while x >= 0:
            below = zip(drawn, lines[y:], strict=False)
            if all(line[x : x + len(row)] == row for row, line in below):
                return True
            x = lines[y].find(first, x + 1)
    return False
