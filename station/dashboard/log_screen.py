"""What happened on the line, the newest at the bottom."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from station.dashboard.base import StationScreen
from station.dashboard.help_screen import HelpScreen
from station.dashboard.key_line import KeyLine
from station.dashboard.lines import LogLines
from station.dashboard.look import look
from station.dashboard.picture import Change

KEYS = (("Esc", "back"), ("b", "bad only/all"), ("↑↓", "scroll"), ("End", "newest"), ("?", "help"))


class LogScreen(StationScreen):
    """The event log; follows what comes until a person scrolls up."""

    DEFAULT_CSS = (
        look("LogScreen")
        + """
    LogScreen #title { height: 1; margin-bottom: 1; }
    LogScreen LogLines { height: 1fr; }
    """
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "back"),
        Binding("b", "bad_only", "bad only/all"),
        Binding("question_mark,f1", "help", "help"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._bad_only = False
        self._was_stale = True

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        yield LogLines(self.station.palette)
        yield KeyLine(self.station.palette, KEYS)

    def on_mount(self) -> None:
        self.set_class(self.station.palette.plain, "plain")
        self.query_one(LogLines).focus()
        self._draw()

    def show_change(self, change: Change) -> None:
        """The log has changed, or has become old."""
        is_news = change.log or change.anew or self._is_stale() != self._was_stale
        if is_news and self.is_mounted:
            self._draw()

    def action_bad_only(self) -> None:
        self._bad_only = not self._bad_only
        self._draw()

    def action_help(self) -> None:
        self.app.push_screen(HelpScreen())

    def _is_stale(self) -> bool:
        station = self.station
        return station.picture.is_stale()

    def _draw(self) -> None:
        station = self.station
        self._was_stale = self._is_stale()
        lines = [line for line in station.picture.log if not self._bad_only or line.good is False]
        told = "EVENT LOG  bad only" if self._bad_only else "EVENT LOG"
        title = station.palette.text(f" {told}", self.size.width)
        self.query_one("#title", Static).update(Text(title, station.palette.strip))
        self.query_one(LogLines).show(
            lines,
            empty="nothing bad so far" if self._bad_only else "nothing has happened yet",
            is_dead=self._was_stale,
        )
