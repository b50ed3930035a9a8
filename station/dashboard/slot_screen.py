"""One slot at arm's length: who is in it, what was done, what it says right now."""

from contextlib import suppress
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Static

from station.dashboard import slot_actions, slot_facts
from station.dashboard.base import StationScreen
from station.dashboard.face import shown
from station.dashboard.help_screen import HelpScreen
from station.dashboard.history_screen import HistoryScreen
from station.dashboard.key_line import KeyLine
from station.dashboard.lines import LogLines
from station.dashboard.look import look
from station.dashboard.picture import Change
from station.errors import StationError
from station.live import SlotView
from station.wire import Follow

_ROOMY_ROWS = 30

_KEYS = (("h", "history"), ("←→", "other slot"), ("↑↓", "scroll"), ("?", "help"))
_BACK_KEYS = (("Esc", "back"),)
_COMMAND_KEYS = (("r", "retry"), ("x", "abort"), ("o", "hold/release"))
KEYS = _BACK_KEYS + _COMMAND_KEYS + _KEYS


class SlotScreen(StationScreen):
    """Follows one slot, its transcript too, until it is left."""

    DEFAULT_CSS = (
        look("SlotScreen")
        + """
    SlotScreen #title, SlotScreen #facts { height: auto; }
    SlotScreen #facts { max-height: 60%; margin-bottom: 1; }
    SlotScreen #below { height: 1fr; min-height: 3; }
    SlotScreen #steps { width: 2fr; height: 100%; }
    SlotScreen LogLines { width: 3fr; height: 100%; margin-left: 1; }
    """
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "back"),
        Binding("left", "neighbour(-1)", "previous slot"),
        Binding("right", "neighbour(1)", "next slot"),
        Binding("r", "retry", "retry"),
        Binding("x", "abort", "abort"),
        Binding("o", "hold", "hold/release"),
        Binding("h,slash", "history", "history"),
        Binding("question_mark,f1", "help", "help"),
    ]

    def __init__(self, slot: str) -> None:
        super().__init__()
        self.slot = slot

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        yield Static(id="facts")
        with Horizontal(id="below"):
            yield Static(id="steps")
            yield LogLines(self.station.palette, with_slot=False)
        yield KeyLine(self.station.palette, KEYS)

    def on_mount(self) -> None:
        self.set_class(self.station.palette.plain, "plain")
        self.query_one(LogLines).focus()
        self._draw()

    def on_unmount(self) -> None:
        self._follow(None)

    def on_resize(self) -> None:
        self._draw()

    def show_change(self, change: Change) -> None:
        """The slot, its transcript, or the time has changed."""
        if not self.is_mounted:
            return
        if change.anew:
            self._follow(self.slot)
        self._draw()

    # --- drawing ------------------------------------------------------------------------------

    def _draw(self) -> None:
        station, columns = self.station, self.size.width
        now_utc_us = station.now_utc_us()
        is_stale = station.picture.is_stale()
        view = station.picture.slots.get(self.slot)
        view = shown(view) if view else None
        self.query_one(KeyLine).show(_BACK_KEYS + _KEYS if is_stale else KEYS)
        self._draw_title(None if is_stale else view, columns)
        self._draw_facts(view, now_utc_us + station.picture.ahead_us, columns, is_stale)
        is_ours = station.picture.followed == self.slot
        self.query_one(LogLines).show(
            station.picture.transcript if is_ours else (),
            empty="nothing was said to this module yet",
            is_dead=is_stale,
        )

    def _draw_title(self, view: SlotView | None, columns: int) -> None:
        palette = self.station.palette
        is_roomy = self.size.height >= _ROOMY_ROWS
        rows = 5 if palette.plain or is_roomy else 3
        title = slot_facts.title(palette, self.slot, view, columns, rows, margin=is_roomy)
        self.query_one("#title", Static).update(title)

    def _draw_facts(
        self, view: SlotView | None, engine_utc_us: int, columns: int, is_stale: bool
    ) -> None:
        facts, steps = self.query_one("#facts", Static), self.query_one("#steps", Static)
        if view is None:
            facts.update("")
            steps.update("")
            return
        palette = self.station.palette
        told = slot_facts.facts(palette, view, engine_utc_us, columns)
        done = slot_facts.steps(palette, view, steps.size.width, steps.size.height)
        if is_stale:
            told, done = (type(text)(text.plain, palette.dead) for text in (told, done))
        facts.update(told)
        steps.update(done)

    # --- the transcript -----------------------------------------------------------------------

    def _follow(self, slot: str | None) -> None:
        self.app.run_worker(self._ask_to_follow(slot), group="follow", exclusive=True)

    async def _ask_to_follow(self, slot: str | None) -> None:
        with suppress(
            StationError
        ):  # no engine: the screen says so, and asks again when it is back
            await self.station.link.ask(Follow(slot=slot))

    # --- keys ---------------------------------------------------------------------------------

    def action_neighbour(self, step: int) -> None:
        slots = list(self.station.picture.slots)
        if self.slot in slots:
            self.slot = slots[(slots.index(self.slot) + step) % len(slots)]
            self._follow(self.slot)
            self._draw()

    @work(exclusive=True, group="slot")
    async def action_retry(self) -> None:
        if self.station.has_engine():
            await slot_actions.retry(self.station, self.slot)

    @work(exclusive=True, group="slot")
    async def action_abort(self) -> None:
        if self.station.has_engine():
            await slot_actions.abort(self.station, self.slot)

    @work(exclusive=True, group="slot")
    async def action_hold(self) -> None:
        if self.station.has_engine():
            await slot_actions.hold_or_release(self.station, self.slot)

    def action_history(self) -> None:
        view = self.station.picture.slots.get(self.slot)
        view = shown(view) if view else None
        name = (view.imei or view.serial or view.chip_serial or "") if view else ""
        self.app.push_screen(HistoryScreen(name))

    def action_help(self) -> None:
        self.app.push_screen(HelpScreen())
