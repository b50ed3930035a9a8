"""What was done to a unit, by any of its names, typed or scanned; in a slot, by a person, for a
lot, in a shift; and what the whole record says. Needs no engine."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import DataTable, Input, Static

from station.dashboard.attempt_facts import COLUMNS, details, row
from station.dashboard.base import StationScreen
from station.dashboard.history_line import HINT, missed, unclear
from station.dashboard.history_questions import Ask, Sheet
from station.dashboard.key_line import KeyLine
from station.dashboard.look import look
from station.dashboard.palette import Kind, Palette
from station.dashboard.paper import fields, ink, trouble
from station.dashboard.scanner import cleaned
from station.dashboard.words import cut
from station.errors import StationError
from station.model import AttemptRecord

LIMIT = 200
"""Attempts asked for; no unit on a healthy line has so many, a slot has."""

_MAX_NAME = 128
_MAX_CELL = 40
"""Cells; the details have all of it."""
_WIDE_COLUMNS = 150
"""Enough for two builds in full."""

KEYS = (
    ("Esc", "back"),
    ("Enter", "find"),
    ("↑↓", "attempt"),
    ("←→", "more columns"),
    ("/", "another unit"),
    ("Tab", "scroll details"),
)
_ASKED = {
    "f2": (Ask.RECALL, "recall"),
    "f3": (Ask.EVER, "ever"),
    "f4": (Ask.CODES, "codes"),
    "f5": (Ask.TODAY, "yield"),
    "f6": (Ask.SHIFT, "shift"),
    "f7": (Ask.OPEN, "open"),
    "f8": (Ask.CLASHES, "clashes"),
}
QUESTIONS = tuple((key.upper(), word) for key, (_, word) in _ASKED.items())


class _Questions(KeyLine):
    DEFAULT_CSS = "_Questions { dock: none; }"


class HistoryScreen(StationScreen):
    """A line to ask in, the attempts found, newest first, and all about the one selected; or the
    answer to a question about all units."""

    SAYS_NO_DATA = False  # the record is as true without an engine

    DEFAULT_CSS = (
        look("HistoryScreen")
        + """
    HistoryScreen #title { height: 1; }
    HistoryScreen #name { margin: 0 1; }
    HistoryScreen #answer { height: auto; max-height: 50%; }
    HistoryScreen #attempts { height: auto; max-height: 40%; }
    HistoryScreen #scroll { height: 1fr; margin-top: 1; }
    HistoryScreen #details { height: auto; }
    """
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "back"),
        Binding("slash", "ask", "another unit"),
        Binding("down", "app.focus_next", show=False),
        *(Binding(key, f"ask_all('{asked.name}')", word) for key, (asked, word) in _ASKED.items()),
    ]

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._text = text
        self._found: list[AttemptRecord] = []
        self._answer: Sheet | None = None

    def compose(self) -> ComposeResult:
        palette = self.station.palette
        yield Static(id="title")
        yield Input(
            placeholder=HINT,
            id="name",
            compact=True,
            max_length=_MAX_NAME,
        )
        yield _Questions(palette, QUESTIONS)
        yield Static(id="answer")
        yield DataTable[Text](id="attempts", cursor_type="row", cursor_foreground_priority="css")
        with VerticalScroll(id="scroll"):
            yield Static(id="details")
        yield KeyLine(palette, KEYS)

    def on_mount(self) -> None:
        self.set_class(self.station.palette.plain, "plain")
        self.query_one(DataTable).display = False
        self.query_one(Input).focus()
        if self._text:
            self.search(self._text)

    def on_resize(self) -> None:
        palette = self.station.palette
        title = Text(palette.text(" HISTORY OF A UNIT", self.size.width), palette.strip)
        self.query_one("#title", Static).update(title)
        self._draw_details()

    # --- asking -------------------------------------------------------------------------------

    def search(self, text: str) -> None:
        """Show what was done to the unit with this name, or what else was asked for; what was shown
        before is forgotten."""
        self._text = cleaned(text)[:_MAX_NAME]
        self.query_one(Input).value = self._text
        if self._text:
            self._show([])
            if why := unclear(self._text):
                self._say(why, is_bad=True)
                return
            self._say(f"looking for {self._text} …")
            self._ask(self._text)

    def take_scan(self, text: str) -> bool:
        """The next unit; it replaces what the field has."""
        self.search(text)
        return True

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.search(event.value)

    def action_ask(self) -> None:
        name = self.query_one(Input)
        name.value = ""
        name.focus()

    @work(exclusive=True)
    async def _ask(self, text: str) -> None:
        try:
            found = await asyncio.to_thread(self.station.history.find, text, LIMIT)
        except StationError as error:
            self._explain(error)
            return
        self._show(found)
        if not found:
            self._say(missed(text), is_bad=True)
            return
        newest = " newest" if len(found) == LIMIT else ""
        self._say(f"{text}: {len(found)}{newest} attempt{'s' if len(found) > 1 else ''}")
        self.query_one(DataTable).focus()

    def action_ask_all(self, name: str) -> None:
        """Answer one of the questions about all units; some are about what was typed."""
        asked = Ask[name]
        text = cleaned(self.query_one(Input).value) if asked.is_about_a_name else ""
        if asked.is_about_a_name and not text:
            self._say("Type a package or a version first, then press the key.", is_bad=True)
            return
        heading = f"{asked.value} {text}".rstrip()
        self._show([])
        self._say(f"{heading}: asking …")
        self._ask_all(asked, text, heading)

    @work(exclusive=True)
    async def _ask_all(self, asked: Ask, text: str, heading: str) -> None:
        station = self.station
        try:
            found = await asyncio.to_thread(
                station.history.ask, asked, text, station.now_utc_us(), LIMIT
            )
        except StationError as error:
            self._explain(error)
            return
        self._show([], found)
        count = f"the first {LIMIT} rows" if found.is_cut else _rows(len(found.rows))
        self._say(f"{heading}: {count}")
        if found.rows:
            self.query_one(DataTable).focus()

    # --- drawing ------------------------------------------------------------------------------

    def _say(self, text: str, *, is_bad: bool = False) -> None:
        palette = self.station.palette
        style = ink(palette, Kind.WARN) if is_bad else palette.screen
        shown = Text(f" {palette.text(text)}", style)
        self.query_one("#answer", Static).update(shown)

    def _explain(self, error: StationError) -> None:
        told = trouble(self.station.palette, error, Kind.BAD, self.size.width)
        self.query_one("#answer", Static).update(told)

    def _show(self, found: list[AttemptRecord], answer: Sheet | None = None) -> None:
        """The attempts, or the answer to a question about all units."""
        self._found, self._answer = found, answer
        palette = self.station.palette
        firmware_columns = 40 if self.size.width >= _WIDE_COLUMNS else 23
        rows = [row(palette, record, firmware_columns) for record in found]
        if answer is not None:
            rows = [_plain_row(palette, cells) for cells in answer.rows]
        table = self.query_one(DataTable)
        table.clear(columns=True)
        table.add_columns(*(answer.columns if answer else COLUMNS))
        table.add_rows(rows)
        table.display = bool(rows)
        self._draw_details()

    def on_data_table_row_highlighted(self) -> None:
        self._draw_details()

    def _draw_details(self) -> None:
        table, shown = self.query_one(DataTable), self.query_one("#details", Static)
        palette, columns, row = self.station.palette, self.size.width - 2, table.cursor_row
        if self._answer is not None and row < len(self._answer.rows):
            pairs = zip(self._answer.columns, self._answer.rows[row], strict=True)
            shown.update(fields(palette, pairs, columns))
        elif row < len(self._found):
            shown.update(details(palette, self._found[row], columns))
        else:
            shown.update("")


def _plain_row(palette: Palette, cells: Sequence[str]) -> tuple[Text, ...]:
    return tuple(Text(palette.text(cut(cell, _MAX_CELL)), no_wrap=True) for cell in cells)


def _rows(count: int) -> str:
    return {0: "nothing", 1: "1 row"}.get(count, f"{count} rows")
