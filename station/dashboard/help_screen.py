"""All keys, and what colours and shapes mean, on one page."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from station.dashboard.base import StationScreen
from station.dashboard.face import HUB_FAILED, SLOT_OUT, STATES, STOPPED, VERDICTS
from station.dashboard.key_line import KeyLine
from station.dashboard.look import look
from station.dashboard.palette import Palette
from station.live import SlotState
from station.model import Outcome

_KEYS = (
    ("arrows Tab", "choose a slot"),
    ("Enter", "that slot in detail"),
    ("a", "arm: choose recipes, begin"),
    ("d", "disarm: start nothing more"),
    ("r", "retry the slot"),
    ("x", "abort the slot's attempt"),
    ("o", "hold out of the line, let in"),
    ("e", "engineer: lift a stop"),
    ("c", "clear: the slot is empty"),
    ("l", "event log  (b: bad only)"),
    ("/ h", "history; or just scan a unit"),
    ("? F1", "this page"),
    ("Esc", "back"),
)
_LEAVE = ("q", "leave; the engine goes on")
_HANDS = (("u", "unplug or plug (simulated)"), ("t", "a fresh tray (simulated)"))

_KEY_COLUMNS = 11
_HALF = 43

_MEANINGS = (
    (VERDICTS[Outcome.PASS], "good, take it out"),
    (VERDICTS[Outcome.NO_CHANGE], "good, had it already"),
    (VERDICTS[Outcome.FAIL], "do what it says"),
    (VERDICTS[Outcome.ERROR], "the station's fault"),
    (VERDICTS[Outcome.BLOCKED], "refused, untouched"),
    (VERDICTS[Outcome.ABORTED], "ended by a person"),
    (VERDICTS[Outcome.INTERRUPTED], "power or engine lost"),
    (STATES[SlotState.STANDING], "was here before"),
    (STATES[SlotState.WAITING], "arm the line"),
    (STATES[SlotState.NO_USB], "reseat the module"),
    (STATES[SlotState.PULLED], "put the module back"),
    (STATES[SlotState.FLASHING], "leave it alone"),
    (STATES[SlotState.EMPTY], "nothing here"),
    (STATES[SlotState.HELD], "kept out of the line"),
    (SLOT_OUT, "fails in a row"),
    (STOPPED, "engineer goes on (e)"),
    (HUB_FAILED, "no fault of a unit"),
)


class HelpScreen(StationScreen):
    """One page, whatever the size of the terminal from 80x24 on."""

    SAYS_NO_DATA = False  # nothing here can be old

    DEFAULT_CSS = look("HelpScreen")

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,f1", "dismiss", "back")]

    def compose(self) -> ComposeResult:
        yield Static(id="page")
        yield KeyLine(self.station.palette, (("Esc", "back"),))

    def on_mount(self) -> None:
        self.set_class(self.station.palette.plain, "plain")
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        station = self.station
        hands = station.picture.hello is not None and station.picture.hello.hands
        keys = [*_KEYS, *(() if station.kiosk else (_LEAVE,)), *(_HANDS if hands else ())]
        text = page(station.palette, keys, self.size.width)
        self.query_one("#page", Static).update(text)


def page(palette: Palette, keys: Sequence[tuple[str, str]], columns: int) -> Text:
    """Keys on the left, colours on the right; 80 columns, at most 22 rows. The head is as wide
    as the screen."""
    left = [_key(palette, *key) for key in keys]
    right = [_meaning(palette, number) for number in range(len(_MEANINGS))]
    right.append(Text(palette.text("░░ NO DATA    old: do not trust it"), palette.dead))
    told = palette.text(" KEYS", _HALF) + palette.text("WHAT A SLOT SAYS")
    head = Text(palette.text(told, columns), palette.strip)
    rows = [
        _padded(one or Text(), _HALF).append_text(two or Text())
        for one, two in zip_longest(left, right)
    ]
    return Text("\n", no_wrap=True).join([head, Text(), *rows])


def _key(palette: Palette, key: str, does: str) -> Text:
    cap = palette.text(f" {key} ")
    gap = " " * (_KEY_COLUMNS + 2 - len(cap))
    return Text.assemble(" ", (cap, palette.selected), gap, (palette.text(does), palette.screen))


def _meaning(palette: Palette, number: int) -> Text:
    face, meaning = _MEANINGS[number]
    sample = palette.text(f" {face.shape} {face.word}", 14)
    return Text.assemble(
        (sample, palette.body[face.kind]), " ", (palette.text(meaning), palette.screen)
    )


def _padded(text: Text, columns: int) -> Text:
    text.pad_right(max(columns - text.cell_len, 0))
    return text
