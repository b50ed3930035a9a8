"""The lines of a tile below its strip: the verdict and what to do, or how far the work is. Pure."""

from dataclasses import dataclass

from rich.style import Style

from station.dashboard.block_letters import large
from station.dashboard.face import Face, face, is_from_before, is_pulled_out
from station.dashboard.palette import Kind, Palette
from station.dashboard.words import (
    cut,
    cut_front,
    doing,
    moment,
    outcome_word,
    percent,
    rate,
    time_left,
    wrapped,
)
from station.errors import CampaignRuns
from station.live import SlotState, SlotView
from station.model import Outcome

LARGE_ROWS = 3
"""What the smallest large letters need."""
PLAIN_LARGE_ROWS = 5
_LARGEST_WORK_ROWS = 5
"""Work is no verdict: its number does not shout."""

_LONG_LINE = 24
_TAIL = 6
"""Where an identifier does not fit: so many characters of its end, since there the units differ."""

TRYING_AGAIN = "TRYING AGAIN"

_REASONED = (SlotState.HELD, SlotState.DISABLED)
_CALM = (Kind.OFF, Kind.WAIT)
"""A slot out of the line, or one that waits, calls nobody."""

_EIGHTHS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a tile; `style` is laid over the ground of the tile."""

    text: str
    style: Style | None = None
    centred: bool = False


def body(
    view: SlotView, now_utc_us: int, columns: int, rows: int, palette: Palette, with_unit: bool
) -> list[Line]:
    """At most `rows` lines of at most `columns` cells, the most important first to get room.

    `with_unit`: the unit's name belongs in here, if there is room.
    """
    shown = face(view)
    facts = _facts(view, columns, with_unit)
    if view.state is SlotState.EMPTY:
        return _outline(columns, rows, palette)
    if shown.kind is Kind.RUN:
        return _work(view, shown, facts, columns, rows, palette)
    return _notice(view, shown, now_utc_us, facts, columns, rows, palette)


# --- a verdict, or something to do ------------------------------------------------------------

_ORDER = ("gap", "headline", "before", "remedy", "facts", "hand")


def _notice(
    view: SlotView,
    shown: Face,
    now_utc_us: int,
    facts: list[Line],
    columns: int,
    rows: int,
    palette: Palette,
) -> list[Line]:
    """Lines in the order in which they are shown; what gets its room first stands in `parts`."""
    smallest = min(rows, PLAIN_LARGE_ROWS if palette.plain else LARGE_ROWS)
    least = smallest if _large_word(shown, columns, smallest, palette.plain) else 1
    room = rows - least
    parts: dict[str, list[Line]] = {}

    def give(part: str, lines: list[Line]) -> None:
        nonlocal room
        parts[part] = lines[:room]
        room -= len(parts[part])

    if is_pulled_out(view):
        give("headline", _where_to(view, now_utc_us, columns, room, palette))
    else:
        give("headline", _headlines(view, shown, columns, room, palette))
    give("before", _before(view, now_utc_us, columns))
    give("hand", _hand(view, columns, palette))
    give("remedy", _remedy(view, columns, room, palette))
    give("gap", [Line("")] if len(parts["headline"]) >= LARGE_ROWS else [])
    give("facts", facts)
    loud = 0 if shown.kind in _CALM else room
    word = _word(shown, columns, least + loud, palette)
    return word + [line for part in _ORDER for line in parts[part]]


def _word(shown: Face, columns: int, rows: int, palette: Palette) -> list[Line]:
    """The word as large as fits, in the middle of its rows; its shape with it where that fits."""
    bold = Style(bold=True)
    drawn = _large_word(shown, columns, rows, palette.plain)
    if drawn:
        return _middle([Line(row, bold, centred=True) for row in drawn], rows)
    fitting = (f"{shown.shape} {shown.word}", shown.word, shown.short)
    text = next((text for text in fitting if len(text) <= columns), shown.short)
    return _middle([Line(text, bold, centred=True)], rows)


def _large_word(shown: Face, columns: int, rows: int, plain: bool) -> tuple[str, ...]:
    both = large(f"{shown.shape} {shown.word}", columns, rows, plain)
    alone = large(shown.word, columns, rows, plain)
    if not both or len(alone[0]) > len(both[0]):  # alone, its letters are larger
        return alone or large(shown.short, columns, rows, plain)
    return both


def _headlines(
    view: SlotView, shown: Face, columns: int, room: int, palette: Palette
) -> list[Line]:
    """Why, in two words, in large if there is much room; and the word itself if it was cut."""
    bold = Style(bold=True)
    lines = []
    headline = view.failure.headline if view.failure else ""
    is_cut = not large(shown.word, columns, LARGE_ROWS, palette.plain)
    if is_cut and shown.kind is Kind.GOOD and shown.word.endswith(f" {shown.short}"):
        # ALREADY, below PASS
        lines.append(Line(f"{shown.shape} {shown.word.split()[0]}", bold, centred=True))
    elif is_cut and len(shown.word) > columns and view.earlier is None:
        lines.append(Line(cut(shown.word, columns), bold, centred=True))
    if not headline or headline == shown.word:
        return lines
    drawn = large(headline, columns, LARGE_ROWS, palette.plain) if room > LARGE_ROWS else ()
    texts = drawn or wrapped(headline, columns, max(min(room - len(lines), 2), 1))
    return lines + [Line(text, bold, centred=True) for text in texts]


def _where_to(
    view: SlotView, now_utc_us: int, columns: int, room: int, palette: Palette
) -> list[Line]:
    """SLOT A7 0:23, in large if there is room."""
    left = time_left(view.put_back_until_utc_us, now_utc_us)
    drawn: tuple[str, ...] = ()
    if room > LARGE_ROWS:
        texts = (f"SLOT {view.slot} {left}", f"{view.slot} {left}")
        drawn = next(
            filter(None, (large(t, columns, LARGE_ROWS, palette.plain) for t in texts)), ()
        )
    return [
        Line(t, Style(bold=True), centred=True) for t in drawn or (f"SLOT {view.slot}  {left}",)
    ]


def _remedy(view: SlotView, columns: int, room: int, palette: Palette) -> list[Line]:
    """What to do; first why, for a slot out of the line: the reason is known nowhere else. Of a
    campaign only which: how a night is ended is not for each tile to tell."""
    if view.failure is None:
        return []
    if view.failure.code == CampaignRuns.code:
        which = palette.text(view.failure.cause)
        return [Line(line) for line in wrapped(which, columns, min(room, 3))]
    cause = palette.text(view.failure.cause) if view.state in _REASONED else ""
    why = wrapped(cause, columns, min(room, 3))
    lines = wrapped(palette.text(view.failure.remedy), columns, min(room - len(why), 5))
    if len(lines) <= 1 and columns < _LONG_LINE:
        lines = []  # one line says something only where it is long
    return [Line(line) for line in (*why, *lines)]


def _before(view: SlotView, now_utc_us: int, columns: int) -> list[Line]:
    earlier = view.earlier
    if earlier is None:
        return []
    when = moment(earlier.ended_utc_us, now_utc_us)
    told = "earlier" if is_from_before(view) else outcome_word(earlier.outcome)
    long = f"{told} {when} slot {earlier.slot}"
    return [Line(long if len(long) <= columns else when, centred=True)]


def _hand_text(view: SlotView, columns: int) -> str:
    if view.state is SlotState.AWAY:  # nobody sees it go: a person says so
        long = "▲ TAKEN OUT? KEY C"
        return long if len(long) + 2 <= columns else "▲ OUT? C"
    good = view.outcome is not None and view.outcome.is_good
    return "▲ REMOVE" if view.state is SlotState.DONE and good else ""


def _hand(view: SlotView, columns: int, palette: Palette) -> list[Line]:
    """What the hand does next, in the colour of things to do."""
    text = _hand_text(view, columns)
    return [Line(f" {text} ", palette.body[Kind.ACT] + Style(bold=True), centred=True)] * bool(text)


def _facts(view: SlotView, columns: int, with_unit: bool) -> list[Line]:
    """The unit and its firmware, for arm's length."""
    good = view.outcome in (Outcome.PASS, Outcome.NO_CHANGE)
    version = (view.firmware if good else view.version) or view.version or ""
    texts = (unit(view, columns) if with_unit else "", cut_front(version, columns))
    return [Line(text, centred=True) for text in texts if text]


def unit(view: SlotView, columns: int) -> str:
    """The unit's name, or its end; may be longer than `columns` when even that does not fit."""
    name = view.imei or view.serial or view.chip_serial or ""
    if not name:
        return view.usb_id or ""
    if len(name) + 5 <= columns and name == view.imei:
        return f"IMEI {name}"
    return name if len(name) <= columns else f"…{name[-_TAIL:]}"


# --- work -------------------------------------------------------------------------------------


def _work(
    view: SlotView, shown: Face, facts: list[Line], columns: int, rows: int, palette: Palette
) -> list[Line]:
    sized = view.total_bytes > 0
    done = percent(view.done_bytes, view.total_bytes)
    lines = _again(view, columns)
    if sized:
        lines += [Line(_bar(view, columns, palette.plain)), Line(_pace(view, done, columns))]
    lines.extend([Line(cut(doing(view.step), columns))] if view.step else [])
    lines.extend(Line(fact.text) for fact in facts)
    bold = Style(bold=True)
    text = f"{done}%" if sized else shown.word
    room = max(rows - len(lines), rows - 4)
    drawn = large(text, columns, min(room, _LARGEST_WORK_ROWS), palette.plain)
    if not drawn:
        return [*([] if sized else [Line(text, bold)]), *lines][:rows]
    number = _middle([Line(row, bold, centred=True) for row in drawn], rows - len(lines))
    return [*number, *lines][:rows]


def _again(view: SlotView, columns: int) -> list[Line]:
    """That what failed is tried again, and which attempt this is."""
    if view.attempt == 1:
        return []
    which = f"{view.attempt}/{view.attempts}"
    long = f"{TRYING_AGAIN} {which}"
    return [Line(long if len(long) <= columns else f"AGAIN {which}", Style(bold=True))]


def _pace(view: SlotView, done: int, columns: int) -> str:
    """63 %  4.1 MB/s, or less of it; the pace only when it is known."""
    pace = rate(view.bytes_per_s)
    if not pace:
        return f"{done} %"
    long = f"{done} %  {pace}"
    return long if len(long) <= columns else f"{done}% {view.bytes_per_s / 1e6:.1f}M"


def _bar(view: SlotView, columns: int, plain: bool) -> str:
    eighths = columns * 8 * max(0, min(view.done_bytes, view.total_bytes)) // view.total_bytes
    full, part = divmod(eighths, 8)
    if plain:
        return "#" * full + "." * (columns - full)
    bar = "█" * full + (_EIGHTHS[part] if part else "")
    return bar + "░" * (columns - len(bar))


# --- nothing there ----------------------------------------------------------------------------


def _outline(columns: int, rows: int, palette: Palette) -> list[Line]:
    if rows < 3 or columns < 4:
        return [Line("empty", palette.dim, centred=True)]
    across = "─" * (columns - 2)
    between = [f"│{' ' * (columns - 2)}│"] * (rows - 2)
    between[len(between) // 2] = f"│{'empty':^{columns - 2}.{columns - 2}}│"
    return [Line(text, palette.dim) for text in (f"┌{across}┐", *between, f"└{across}┘")]


def _middle(lines: list[Line], rows: int) -> list[Line]:
    spare = max(rows - len(lines), 0)
    above = (
        spare // 2 if spare > 2 else 0
    )  # small differences would only make a row of tiles uneven
    return [Line("")] * above + lines + [Line("")] * (spare - above)
