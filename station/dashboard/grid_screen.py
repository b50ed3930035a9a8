"""The tray as it lies on the fixture: a tile for each slot, always in the same place."""

from itertools import zip_longest
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid
from textual.events import Resize
from textual.widgets import Static

from station.dashboard import line_actions, slot_actions
from station.dashboard.arm_screen import ArmScreen
from station.dashboard.base import StationScreen
from station.dashboard.header import LARGE_ROWS, SMALL_ROWS, Header
from station.dashboard.help_screen import HelpScreen
from station.dashboard.history_screen import HistoryScreen
from station.dashboard.key_line import KeyLine
from station.dashboard.log_screen import LogScreen
from station.dashboard.notice import NoticeScreen
from station.dashboard.palette import Kind
from station.dashboard.picture import Change
from station.dashboard.slot_screen import SlotScreen
from station.dashboard.tile import MIN_COLUMNS, MIN_ROWS, Tile
from station.live import SlotState
from station.wire import Clear, Hands

_ROOMY_ROWS = 36
_ARM_KEYS = (("a", "arm"), ("r", "retry"))
_LIFT_KEYS = (("e", "lift the stop"),)
_SHOW_KEYS = (("/", "history"), ("?", "help"))
_LEAVE_KEYS = (("q", "leave"),)
_DETAIL_KEYS = (("Enter", "detail"),)
_LINE_KEYS = (("x", "abort"), ("d", "disarm"))
_LOG_KEYS = (("l", "log"),)
_SLOT_KEYS = (("o", "hold"), ("c", "clear"))
_OF_A_FREE_LINE = ("a", "d", "r")
_HANDS_KEYS = (("u", "plug"), ("t", "tray"))
_ABSENT = (SlotState.EMPTY, SlotState.NO_USB, SlotState.AWAY, SlotState.PULLED)


class GridScreen(StationScreen):
    """Header, tray, keys. One slot is selected; the keys of slots are about it."""

    SAYS_NO_DATA = False  # the header does, and each tile

    DEFAULT_CSS = """
    GridScreen #tray { height: 1fr; grid-gutter: 0; }
    GridScreen #small { height: 1fr; display: none; content-align: center middle; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1, 0)", show=False),
        Binding("right", "move(1, 0)", show=False),
        Binding("up", "move(0, -1)", show=False),
        Binding("down", "move(0, 1)", show=False),
        Binding("tab", "next(1)", show=False),
        Binding("shift+tab", "next(-1)", show=False),
        Binding("enter", "detail", "detail of the slot"),
        Binding("a", "arm", "arm the line"),
        Binding("d", "disarm", "disarm the line"),
        Binding("r", "retry", "retry the slot"),
        Binding("x", "abort", "abort the slot"),
        Binding("o", "hold", "hold or release the slot"),
        Binding("e", "lift", "lift a stop (engineer)"),
        Binding("c", "clear", "the slot is empty"),
        Binding("l", "log", "event log"),
        Binding("h,slash", "history", "history of a unit"),
        Binding("question_mark,f1", "help", "help"),
        Binding("exclamation_mark", "alarms", "all alarms"),
        Binding("q", "app.quit", "leave the screen"),
        Binding("u", "plug", "unplug or plug the module (simulated)"),
        Binding("t", "tray", "a fresh tray (simulated)"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.rows: tuple[tuple[str, ...], ...] = ()
        self.selected: str | None = None
        self._tiles: dict[str, Tile] = {}

    def compose(self) -> ComposeResult:
        """Tiles come with the engine's hello."""
        palette = self.station.palette
        yield Header(palette)
        yield Grid(id="tray")
        yield Static(id="small", markup=False)
        yield KeyLine(palette, self._keys())

    def _keys(self, stale: bool = True) -> tuple[tuple[str, str], ...]:
        """The most important first; without an engine none that would be for it."""
        leave = () if self.station.kiosk else _LEAVE_KEYS
        if stale:
            return _SHOW_KEYS + leave + _DETAIL_KEYS + _LOG_KEYS
        hands = _HANDS_KEYS if self._has_hands() else ()
        line = self.station.picture.line
        lift = _LIFT_KEYS if line_actions.can_be_lifted(line) else ()
        first = lift + _ARM_KEYS + _SHOW_KEYS + leave + _DETAIL_KEYS
        keys = first + _LINE_KEYS + _LOG_KEYS + _SLOT_KEYS + hands
        is_taken = line is not None and line.campaign is not None
        return tuple(key for key in keys if not (is_taken and key[0] in _OF_A_FREE_LINE))

    # --- what is shown ------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Begin with what is known, which may be nothing."""
        self._lay_out()

    def on_resize(self, event: Resize) -> None:
        """More or less room."""
        self._check_room(event.size.width, event.size.height)

    def show_change(self, change: Change) -> None:
        """Only the tiles and the header that changed draw themselves again."""
        if not self.is_mounted:
            return
        if change.anew:
            self._lay_out()
        self._draw()

    def _draw(self) -> None:
        picture, now_utc_us = self.station.picture, self.station.now_utc_us()
        stale = picture.is_stale()
        self.query_one(Header).show(picture, now_utc_us)
        self.query_one(KeyLine).show(self._keys(stale))
        for slot, tile in self._tiles.items():
            view = picture.slots.get(slot)
            tile.show(view, now_utc_us + picture.ahead_us, slot == self.selected, stale)

    def _lay_out(self) -> None:
        """Put a tile where each slot lies; a place without a slot stays empty."""
        hello = self.station.picture.hello
        if hello is None or hello.rows == self.rows:
            return
        self.rows = hello.rows
        tray = self.query_one("#tray", Grid)
        tray.remove_children()
        self._tiles = {slot: Tile(slot, self.station.palette) for row in self.rows for slot in row}
        if not self._tiles:
            return
        columns = max(map(len, self.rows))
        tray.styles.grid_size_columns, tray.styles.grid_size_rows = columns, len(self.rows)
        for row in self.rows:
            for slot, _ in zip_longest(row, range(columns)):
                tray.mount(self._tiles[slot] if slot is not None else Static())
        if self.selected not in self._tiles:
            self.selected = next(iter(self._tiles))
        self._check_room(*self.size)
        self._draw()

    def _check_room(self, columns: int, rows: int) -> None:
        """All tiles get the same room; where it is too little, say so instead of showing half."""
        small, tray = self.query_one("#small", Static), self.query_one("#tray", Grid)
        across, down = max((1, *map(len, self.rows))), max(1, len(self.rows))
        header = LARGE_ROWS if rows >= _ROOMY_ROWS else SMALL_ROWS
        width, height = columns // across, (rows - header - 1) // down
        fits = width >= MIN_COLUMNS and height >= MIN_ROWS
        tray.display, small.display = fits, not fits
        tray.styles.grid_columns, tray.styles.grid_rows = str(max(width, 1)), str(max(height, 1))
        self.query_one(Header).styles.height = header
        small.update(
            f"THIS SCREEN IS TOO SMALL\n\nThe tray needs {across * MIN_COLUMNS} columns and "
            f"{down * MIN_ROWS + header + 1} rows, here are {columns} and {rows}.\n"
            "Make the window larger, or its letters smaller."
        )

    # --- which slot ---------------------------------------------------------------------------

    def action_move(self, right: int, down: int) -> None:
        """Select the neighbour; at the edge stay."""
        for y, row in enumerate(self.rows):
            if self.selected in row:
                line = self.rows[max(0, min(y + down, len(self.rows) - 1))]
                x = row.index(self.selected) + right
                self._select(line[max(0, min(x, len(line) - 1))] if line else self.selected)
                return

    def action_next(self, step: int) -> None:
        """Select the next slot, row by row, around the end."""
        slots = list(self._tiles)
        if self.selected in slots:
            self._select(slots[(slots.index(self.selected) + step) % len(slots)])

    def _select(self, slot: str) -> None:
        self.selected = slot
        self._draw()

    # --- keys that show something -------------------------------------------------------------

    def action_detail(self) -> None:
        """The selected slot at arm's length."""
        if self.selected:
            self.app.push_screen(SlotScreen(self.selected))

    def action_arm(self) -> None:
        """Choose recipes and confirm them."""
        if line_actions.is_free(self.station):
            self.app.push_screen(ArmScreen())

    def action_log(self) -> None:
        """What happened."""
        self.app.push_screen(LogScreen())

    def action_history(self) -> None:
        """What was done to a unit."""
        self.app.push_screen(HistoryScreen(text=""))

    def action_help(self) -> None:
        """Keys and colours."""
        self.app.push_screen(HelpScreen())

    def action_alarms(self) -> None:
        """All alarms in full."""
        line = self.station.picture.line
        if line is None or not line.alarms:
            return
        texts = tuple(
            f"{alarm.code} {alarm.headline}: {alarm.cause}\n{alarm.remedy}" for alarm in line.alarms
        )
        self.app.push_screen(NoticeScreen("ALARMS", texts, Kind.WARN, shown_s=120))

    # --- keys that do something ---------------------------------------------------------------

    @work
    async def action_disarm(self) -> None:
        """Start nothing more."""
        await line_actions.disarm(self.station)

    @work
    async def action_retry(self) -> None:
        """Another attempt at the selected slot."""
        if self.station.has_engine() and self.selected:
            await slot_actions.retry(self.station, self.selected)

    @work
    async def action_abort(self) -> None:
        """End the attempt in the selected slot."""
        if self.station.has_engine() and self.selected:
            await slot_actions.abort(self.station, self.selected)

    @work
    async def action_hold(self) -> None:
        """Take the selected slot out of the line, or back."""
        if self.station.has_engine() and self.selected:
            await slot_actions.hold_or_release(self.station, self.selected)

    @work
    async def action_lift(self) -> None:
        """Go on after the line has stopped by itself."""
        await line_actions.lift(self.station)

    @work
    async def action_clear(self) -> None:
        """A person sees that the slot is empty."""
        if self.station.has_engine() and self.selected:
            await self.station.command(Clear(slot=self.selected))

    @work
    async def action_plug(self) -> None:
        """Simulated modules: pull it, or put it back."""
        view = self.station.picture.slots.get(self.selected or "")
        if view and self._has_hands():
            plug = Hands(action="plug", slot=view.slot)
            unplug = Hands(action="unplug", slot=view.slot)
            await self.station.command(plug if view.state in _ABSENT else unplug)

    @work
    async def action_tray(self) -> None:
        """Simulated modules: all out, fresh ones in."""
        if self._has_hands():
            await self.station.command(Hands(action="tray"))

    def _has_hands(self) -> bool:
        hello = self.station.picture.hello
        return hello is not None and hello.hands
