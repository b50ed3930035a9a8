"""All keys, and what colours and shapes mean, on one page."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from station.dashboard.base import StationScreen
from station.dashboard.face import (
    ALREADY_PASS,
    HUB_FAILED,
    NO_VERDICT,
    SLOT_OUT,
    STATES,
    STOPPED,
    VERDICTS,
    WAITS,
    Face,
)
from station.dashboard.key_line import KeyLine
from station.dashboard.look import look
from station.dashboard.palette import Kind, Palette
from station.dashboard.paper import ink
from station.dashboard.tile_body import TRYING_AGAIN
from station.errors import CampaignRuns, GoldenFirst, IdentityClash, NotRecorded, Quarantined
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
_KEYS_HERE = (("Esc", "back"),)
_MORE = (("↑↓", "more words below"),)

_KEY_COLUMNS = 11
_WORD_COLUMNS = 18
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
_MORE_MEANINGS = (
    (ALREADY_PASS, "good, passed before"),
    (WAITS, "goes on by itself"),
    (STATES[SlotState.IDENTIFYING], "is asked who it is"),
    (STATES[SlotState.PROBING], "is looked at only"),
    (STATES[SlotState.PLANNED], "about to be written"),
    (STATES[SlotState.VERIFYING], "leave it: read back"),
    (STATES[SlotState.DISABLED], "which slot? engineer"),
    (NO_VERDICT, "not recorded: leave it"),
)
_WORDS = (
    (TRYING_AGAIN, "leave it: it failed once"),
    (NotRecorded.headline, "leave it in, it is kept"),
    (Quarantined.headline, "red bin, call engineer"),
    (IdentityClash.headline, "red bin, call engineer"),
    (GoldenFirst.headline, "put a golden unit in"),
    (CampaignRuns.headline, "leave it to the campaign"),
)
"""What stands below the large word, and what to do about it."""


class HelpScreen(StationScreen):
    """One page; on a terminal of few rows what is met most stands first, and the rest is below."""

    SAYS_NO_DATA = False  # nothing here can be old

    DEFAULT_CSS = (
        look("HelpScreen")
        + """
    HelpScreen VerticalScroll { scrollbar-size-vertical: 0; }
    HelpScreen #page { height: auto; }
    """
    )

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,f1", "dismiss", "back")]

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(id="page")
        yield KeyLine(self.station.palette, _KEYS_HERE)

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
        is_cut = text.plain.count("\n") + 1 > self.size.height - 1
        self.query_one(KeyLine).show(_KEYS_HERE + (_MORE if is_cut else ()))


def page(palette: Palette, keys: Sequence[tuple[str, str]], columns: int) -> Text:
    """Keys on the left, colours on the right, below them what is met less often; 80 columns. The
    heads are as wide as the screen."""
    right = [_meaning(palette, *each) for each in _MEANINGS]
    right.append(Text(palette.text("░░ NO DATA    old: do not trust it"), palette.dead))
    more = [_meaning(palette, *each) for each in _MORE_MEANINGS]
    rows = [
        _head(palette, "KEYS", "WHAT A SLOT SAYS", columns),
        Text(),
        *_halves([_key(palette, *key) for key in keys], right),
        Text(),
        _head(palette, "BELOW THE LARGE WORD", "WHAT IT SAYS, TOO", columns),
        *_halves([_word(palette, *word) for word in _WORDS], more),
    ]
    return Text("\n", no_wrap=True).join(rows)


def _head(palette: Palette, left: str, right: str, columns: int) -> Text:
    told = palette.text(f" {left}", _HALF) + palette.text(right)
    return Text(palette.text(told, columns), palette.strip)


def _halves(left: Sequence[Text], right: Sequence[Text]) -> list[Text]:
    return [
        _padded(one or Text(), _HALF).append_text(two or Text())
        for one, two in zip_longest(left, right)
    ]


def _word(palette: Palette, word: str, does: str) -> Text:
    told = palette.text(f" {word}", _WORD_COLUMNS)
    return Text.assemble(
        (told, ink(palette, Kind.WARN)), (f" {palette.text(does)}", palette.screen)
    )


def _key(palette: Palette, key: str, does: str) -> Text:
    cap = palette.text(f" {key} ")
    gap = " " * (_KEY_COLUMNS + 2 - len(cap))
    return Text.assemble(" ", (cap, palette.selected), gap, (palette.text(does), palette.screen))


def _meaning(palette: Palette, face: Face, meaning: str) -> Text:
    told = f" {face.shape} {face.word}"
    sample = palette.text(told, max(len(told), 14))
    return Text.assemble(
        (sample, palette.body[face.kind]), " ", (palette.text(meaning), palette.screen)
    )


def _padded(text: Text, columns: int) -> Text:
    text.pad_right(max(columns - text.cell_len, 0))
    return text
