"""The line in three rows, or five where there is room: armed or not, with what, how it goes."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from station.dashboard.block_letters import large
from station.dashboard.face import face
from station.dashboard.no_data import NoDataTexts, draw_no_data, no_data_texts
from station.dashboard.painted import Painted, panel, row
from station.dashboard.palette import Kind, Palette
from station.dashboard.picture import Picture
from station.dashboard.words import clock, cut, cut_front, wrapped
from station.errors import HubFailed, LineStopped
from station.live import Alarm, LineState, LineView, RecipeView, SlotView

SMALL_ROWS = 3
LARGE_ROWS = 5

STATES = {
    LineState.DISARMED: (Kind.ACT, "NOT ARMED"),
    LineState.ARMING: (Kind.RUN, "ARMING"),
    LineState.ARMED: (Kind.RUN, "ARMED"),
    LineState.STOPPING: (Kind.WARN, "STOPPING"),
}
_STOPPED = (Kind.BAD, "STOPPED")
_CAMPAIGN = (Kind.RUN, "CAMPAIGN")
_STATION_BLAMED = ("S", "X", HubFailed.code, LineStopped.code)
"""How codes of alarms begin that are faults of the station itself; others want attention."""


@dataclass(frozen=True, slots=True)
class HeaderLook:
    """All that the drawing of the header depends on."""

    station: str
    clock: str
    line: LineView | None
    tally: tuple[tuple[Kind, int], ...]
    no_data: NoDataTexts | None


class Header(Painted):
    """Shows the line, or NO DATA."""

    DEFAULT_CSS = f"Header {{ height: {SMALL_ROWS}; }}"

    def __init__(self, palette: Palette) -> None:
        super().__init__(palette)
        self._shown = HeaderLook("", "", None, (), NoDataTexts("", "connecting"))

    def show(self, picture: Picture, now_utc_us: int) -> None:
        """Show the picture at this moment, by our own clock."""
        hello = picture.hello
        stale = picture.is_stale()
        self._shown = HeaderLook(
            station=f"{hello.station} · {hello.site}" if hello else "",
            clock=clock(now_utc_us),
            line=picture.line,
            tally=tally(picture.slots.values()),
            no_data=no_data_texts(picture) if stale else None,
        )
        self.look_like(self._shown)

    def draw(self, columns: int, rows: int) -> list[Strip]:
        """The line, or NO DATA."""
        look = self._shown
        if look.no_data or look.line is None:
            texts = look.no_data or NoDataTexts("", "waiting for the line")
            return draw_no_data(texts, columns, rows, self.palette)
        return draw_header(look, look.line, columns, rows, self.palette)


def tally(views: Iterable[SlotView]) -> tuple[tuple[Kind, int], ...]:
    """How many slots there are of each kind, in the order of `Kind`."""
    counted = Counter(face(view).kind for view in views)
    return tuple((kind, counted[kind]) for kind in Kind if counted[kind])


def draw_header(
    look: HeaderLook, line: LineView, columns: int, rows: int, palette: Palette
) -> list[Strip]:
    """The state in large letters at the left; beside and below it what to know."""
    kind, word = state_face(line)
    left = panel(word, SMALL_ROWS, palette.body[kind], palette)
    width = columns - len(left[0].text)
    if rows < LARGE_ROWS:
        facts = [("  " + _facts(line, width - 2), palette.screen)]
        beside = [
            _ends(line.recipes, look.clock, width, palette),
            row(facts, width, palette.screen, palette),
            *_last_rows(look, line, width, 2, palette),
        ]
        return _side_by_side(left, [beside[0], *beside[-2:]])
    beside = _large_firmware(look, line, width, palette)
    return [
        *_side_by_side(left, beside),
        row([(" " + _facts(line, columns - 1), palette.screen)], columns, palette.screen, palette),
        *_last_rows(look, line, columns, 1, palette),
    ]


def state_face(line: LineView) -> tuple[Kind, str]:
    """ARMED; but an armed line that was stopped starts nothing and says so, and what a campaign
    has armed is the campaign's."""
    is_stopped = any(alarm.code == LineStopped.code for alarm in line.alarms)
    if is_stopped and line.state is LineState.ARMED:
        return _STOPPED
    return STATES[line.state] if line.campaign is None else _CAMPAIGN


def _side_by_side(left: list[Segment], beside: list[Strip]) -> list[Strip]:
    return [Strip([segment, *strip]) for segment, strip in zip(left, beside, strict=True)]


def _ends(recipes: tuple[RecipeView, ...], clock_text: str, width: int, palette: Palette) -> Strip:
    """The firmware at the left, of the version at least its end; the clock at the right."""
    room = width - len(clock_text) - 4
    text = firmware(recipes)
    if len(text) > room:
        text = cut_front(versions(recipes), room)
    parts = [
        (f"  {palette.text(text, room)}", Style(bold=True)),
        (f" {clock_text} ", palette.screen),
    ]
    return row(parts, width, palette.screen, palette)


def _large_firmware(look: HeaderLook, line: LineView, width: int, palette: Palette) -> list[Strip]:
    """Three rows: the firmware in large letters if they fit, and at the right where and when.

    Where the version leaves no room for a large SKU, that stands beside it.
    """
    right = 24
    room = width - right - 2
    text = firmware(line.recipes)
    drawn = _large(text, room, palette)
    if not drawn and (version := _large(versions(line.recipes), room, palette)):
        first, second, third = version
        drawn = (first, f"{second}  {sku(line.recipes)}", third)
    lines = drawn or ("", text, "")
    strips = []
    for shown, aside in zip(lines, (look.clock, look.station, ""), strict=True):
        parts = [
            (f"  {palette.text(shown, room)}", Style(bold=True)),
            (palette.text(aside, right).rstrip().rjust(right - 1), palette.screen),
        ]
        strips.append(row(parts, width, palette.screen, palette))
    return strips


def _large(text: str, columns: int, palette: Palette) -> tuple[str, ...]:
    """Three rows, or () when it does not fit."""
    drawn = large(text, columns, SMALL_ROWS, palette.plain) if text else ()
    return drawn if len(drawn) == SMALL_ROWS else ()


def firmware(recipes: tuple[RecipeView, ...]) -> str:
    """SKU and firmware version of the armed recipe; of several only how many."""
    if not recipes:
        return ""
    if len(recipes) > 1:
        return f"{len(recipes)} recipes"
    return f"{sku(recipes)} {recipes[0].version}".strip()


def sku(recipes: tuple[RecipeView, ...]) -> str:
    """What the one recipe is for; … when it is for more."""
    patterns = recipes[0].sku if len(recipes) == 1 else ()
    return f"{patterns[0]}…" if len(patterns) > 1 else "".join(patterns)


def versions(recipes: tuple[RecipeView, ...]) -> str:
    """The version alone, of one recipe."""
    return recipes[0].version if len(recipes) == 1 else ""


_GAP = "   "
_HARD = "\N{NO-BREAK SPACE}"
_LEAST_NAME = 8
"""Cells of the operator that are always shown."""


def _facts(line: LineView, width: int) -> str:
    """Operator or campaign, done of target, first-pass yield, tray, SKU, lot; the last are left out
    first, and no name is so long that it takes the numbers' place."""
    counts = line.counts
    facts = [f"{counts.good}/{line.target} good" if line.target else f"{counts.good} good"]
    if counts.first:
        facts.append(f"first pass {counts.first_pass * 100 // counts.first} % of {counts.first}")
    room = width - sum(cell_len(_GAP + fact) for fact in facts)
    who = line.campaign or (line.operator if line.shift is None else line.shift.operator)
    facts.insert(0, cut(who or "no operator", max(room, _LEAST_NAME)))
    if line.expected:
        facts.append(f"tray of {line.expected}")
    if line.label:
        facts.append(f"SKU {line.label}")
    if line.lot:
        facts.append(f"lot {line.lot}")
    while len(facts) > 1 and cell_len(_GAP.join(facts)) > width:
        facts.pop()
    return _GAP.join(facts)


_TALLY = {
    Kind.GOOD: "✔ {} good",
    Kind.BAD: "✖ {} bad",
    Kind.WARN: "⚠ {} to look at",
    Kind.ACT: "▶ {} need you",
    Kind.RUN: "◑ {} running",
    Kind.WAIT: "◔ {} waiting",
    Kind.OFF: "○ {} empty",
}


def _last_rows(
    look: HeaderLook, line: LineView, width: int, rows: int, palette: Palette
) -> list[Strip]:
    """How many slots there are of each kind or, in its own colour, the first alarm; that takes a
    second row, if it may, rather than that what to do is cut."""
    if line.alarms:
        return _alarm_rows(line.alarms, width, rows, palette)
    parts = [("  ", Style())]
    room = width - 2
    for kind, number in look.tally:
        text = f"{_TALLY[kind].format(number)}   "
        if cell_len(text) <= room:
            room -= cell_len(text)
            parts.append((text, Style(color=palette.accent[kind].color, bold=True)))
    return [row(parts, width, palette.screen, palette)]


def _alarm_rows(alarms: tuple[Alarm, ...], width: int, rows: int, palette: Palette) -> list[Strip]:
    """Headline, cause and remedy; the cause is left out first."""
    first = alarms[0]
    kind = Kind.BAD if first.code.startswith(_STATION_BLAMED) else Kind.WARN
    ground = palette.body[kind]
    more = f" +{len(alarms) - 1} more (!) " if len(alarms) > 1 else " (!) "
    head = f" ⚠ {first.headline}  "
    room = width - len(more)
    full = f"{first.cause} → {first.remedy}"
    told = full if cell_len(head + full) <= room else first.remedy
    whole = head.replace(" ", _HARD) + told
    lines = wrapped(whole, width - 1, rows)
    if cell_len(lines[-1]) > room:
        lines = [*lines, ""] if len(lines) < rows else wrapped(whole, room, rows)
    one, *two = lines
    parts = [(head, Style(bold=True)), (one[len(head) :], Style())]
    told_rows = [parts, *([(f" {line}", Style())] for line in two)]
    last = row(told_rows.pop(), room, ground, palette)
    end = Segment(more, ground + Style(bold=True))
    return [*(row(each, width, ground, palette) for each in told_rows), Strip([*last, end])]
