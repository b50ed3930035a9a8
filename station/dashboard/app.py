"""The dashboard: shows what the engine says, hands on what people want. Leaving stops nothing."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual import events, work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.theme import Theme
from textual.widgets import Input
from textual.worker import WorkerFailed

from station.dashboard.base import StationDialog, StationScreen
from station.dashboard.client import Client
from station.dashboard.confirm import ConfirmScreen
from station.dashboard.grid_screen import GridScreen
from station.dashboard.history import HistorySource
from station.dashboard.history_screen import HistoryScreen
from station.dashboard.notice import NoticeScreen
from station.dashboard.palette import COLOUR, PLAIN, Kind
from station.dashboard.paper import Trouble, remedy_of
from station.dashboard.picture import Change, Link, Picture
from station.dashboard.scanner import Pressed, Scan, ScanFilter, Torn
from station.errors import NoEngine, StationError
from station.wire import Command, Refusal

REDRAW_S = 0.25
"""What comes faster than this is drawn together."""
_GOES_ON = "The engine goes on: modules are flashed to their end, the line stays as it is."
_UNKNOWN = "No engine is heard: what the line does is not known here. Leaving changes nothing."
_SCAN_AGAIN = "Not now: close this, then scan again."

_THEME = Theme(
    name="station",
    primary="#0072b2",
    secondary="#56b4e9",
    accent="#56b4e9",
    success="#009e73",
    warning="#f0e442",
    error="#c25200",
    foreground="#e8e8e8",
    background="#000000",
    surface="#121212",
    panel="#202020",
    dark=True,
)
_PLAIN_TERMINALS = ("linux", "dumb")


def now() -> int:
    """Our clock: microseconds since the epoch, UTC."""
    return time.time_ns() // 1000


class StationApp(App[None]):
    """Keeps the picture true and one screen on top of it.

    `plain`: eight colours, ASCII only; also without being asked where the terminal has no more.
    `kiosk`: it cannot be left.
    """

    ENABLE_COMMAND_PALETTE = False
    CSS = "StationScreen { background: $background; }"  # dialogs let the screen below show
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q,ctrl+c", "quit", show=False, priority=True),
    ]

    def __init__(
        self,
        socket: Path,
        history: HistorySource,
        *,
        plain: bool = False,
        kiosk: bool = False,
        clock: Callable[[], int] = now,
        ticks_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        plain = plain or "NO_COLOR" in os.environ or os.environ.get("TERM") in _PLAIN_TERMINALS
        super().__init__(ansi_color=plain)
        self.register_theme(_THEME)
        self.theme = "ansi-dark" if plain else _THEME.name
        self.animation_level = "none"
        self.palette = PLAIN if plain else COLOUR
        self.kiosk = kiosk
        self.history = history
        self.picture = Picture(ticks_ns=ticks_ns)
        self.client = Client(socket, self.picture, clock, self._hear)
        self.link: Link = self.client
        self._clock = clock
        self._news = Change()
        self._shown_s = 0
        self._scanner: ScanFilter[events.Key] = ScanFilter()

    @property
    def crash(self) -> BaseException | None:
        """The bug that ended the screen."""
        error = self._exception
        return error.error if isinstance(error, WorkerFailed) else error

    def now_utc_us(self) -> int:
        """Our clock; the engine's is `picture.ahead_us` ahead of it."""
        return self._clock()

    async def on_mount(self) -> None:
        """From now on the picture is kept."""
        await self.push_screen(GridScreen())
        self.run_worker(self.client.run(), name="client")
        self.set_interval(REDRAW_S, self.show_news)

    # --- what the engine says -----------------------------------------------------------------

    def _hear(self, change: Change) -> None:
        self._news = _both(self._news, change)

    def show_news(self) -> None:
        """Tell the screens what is new, or once a second that time has passed."""
        if not self.is_running:
            return  # being left: the screens are taken apart
        second = self.now_utc_us() // 1_000_000
        if self._news == Change() and second == self._shown_s:
            return
        news, self._news, self._shown_s = self._news, Change(), second
        for screen in reversed(self.screen_stack):
            if isinstance(screen, StationScreen):
                screen.show_age()
            if isinstance(screen, StationScreen | StationDialog):
                screen.show_change(news)
            if not isinstance(screen, ModalScreen):
                return  # what lies below cannot be seen

    # --- what people want ---------------------------------------------------------------------

    async def command(self, command: Command) -> bool:
        """Have the engine do it; True when it did. A refusal is shown with its remedy."""
        if not self.has_engine():
            return False
        try:
            answer = await self.link.ask(command)
        except StationError as error:
            self.explain(error, Kind.BAD)
            return False
        if answer.refused:
            self.explain(answer.refused)
            return False
        return True

    def has_engine(self) -> bool:
        """False: said so to the person, of whom nothing may be asked by what is known no more."""
        picture = self.picture
        if not picture.is_stale():
            return True
        if picture.is_connecting():
            texts = ("The engine has not answered yet. Close this and press the key again.",)
            self.push_screen(NoticeScreen("CONNECTING", texts, Kind.RUN))
            return False
        cause = f"nothing was changed: {picture.why_stale}"
        gone = Refusal(NoEngine.code, NoEngine.headline, cause, picture.remedy)
        self.explain(gone, Kind.BAD)
        return False

    def explain(self, what: Trouble, kind: Kind = Kind.WARN) -> None:
        """Show why something was not done, until Enter or Esc or for some seconds."""
        texts = (what.cause, remedy_of(what))
        self.push_screen(NoticeScreen(f"{what.code}  {what.headline}", texts, kind))

    @work
    async def action_quit(self) -> None:  # type: ignore[override]  # a worker: it waits for the answer
        """Leave, if so wanted; by no key alone, and not at all on a kiosk."""
        if self.kiosk or isinstance(self.screen, ConfirmScreen):
            return
        told = _UNKNOWN if self.picture.is_stale() else _GOES_ON
        question = ConfirmScreen("Leave the screen?", told, yes="Leave")
        if await self.push_screen_wait(question):
            self.exit()

    # --- keys and scans -----------------------------------------------------------------------

    async def on_event(self, event: events.Event) -> None:
        """Keys wait a moment, since a scanner types too and its keys are not commands."""
        if not isinstance(event, events.Key) or event.is_forwarded or not self.screen_stack:
            await super().on_event(event)
            return
        await self._act_on(self._scanner.feed(event, _char(event), event.time))
        self._wait_for_more()

    def _wait_for_more(self) -> None:
        """The loop's own timer: Textual's forgets a timer that it is late for."""
        due_s = self._scanner.due_s
        if due_s is not None:
            wait_s = max(due_s - time.monotonic(), 0.001)
            asyncio.get_running_loop().call_later(wait_s, self.call_later, self._give_out)

    async def _give_out(self) -> None:
        await self._act_on(self._scanner.tick(time.monotonic()))
        self._wait_for_more()  # another key came meanwhile, or the timer was early

    async def _act_on(self, given: list[Pressed[events.Key] | Scan | Torn]) -> None:
        for each in given:
            match each:
                case Pressed(key=key):
                    is_typing = isinstance(self.focused, Input)
                    await super().on_event(key if is_typing else _small(key))
                case Scan(text=text):
                    self._scanned(text)
                case Torn(text=text):
                    self._torn(text)

    def _torn(self, text: str) -> None:
        """Pasted into a field; anywhere else it is to be scanned again."""
        if isinstance(self.focused, Input):
            self.focused.insert_text_at_cursor(text)
        else:
            self.bell()

    def _scanned(self, text: str) -> None:
        """A notice gives way, a question does not: it says so."""
        while isinstance(self.screen, NoticeScreen):
            self.screen.dismiss(None)
        match self.screen:
            case StationDialog() as question:
                self.bell()
                question.say(_SCAN_AGAIN)
            case StationScreen() as screen if screen.take_scan(text):
                pass
            case _:
                self.open_history(text)

    def open_history(self, text: str) -> None:
        """What was done to the unit with this identifier."""
        if isinstance(self.screen, HistoryScreen):
            self.switch_screen(HistoryScreen(text=text))
        else:
            self.push_screen(HistoryScreen(text=text))


def _small(event: events.Key) -> events.Key:
    """A letter pressed with Shift or Caps Lock is the same hot-key."""
    if len(event.key) > 1 or not event.key.isupper():
        return event
    return events.Key(event.key.lower(), event.key.lower())


def _char(event: events.Key) -> str:
    """The character of a key as a scanner types it, control characters too (they are its prefix);
    empty for keys without one."""
    return "\r" if event.key == "enter" else event.character or ""


def _both(first: Change, second: Change) -> Change:
    return Change(
        first.slots | second.slots,
        line=first.line or second.line,
        log=first.log or second.log,
        transcript=first.transcript or second.transcript,
        anew=first.anew or second.anew,
    )
