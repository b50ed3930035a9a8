"""A screen on top of the real dashboard, with a line at work behind it."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from station.dashboard.base import StationDialog, StationScreen
from station.dashboard.history_questions import Ask, Sheet
from station.errors import StationError
from station.live import (
    Counts,
    Earlier,
    LineState,
    LineView,
    LogLine,
    RecipeView,
    SlotState,
    SlotView,
    StepView,
)
from station.model import AttemptRecord, Failure, Outcome, StepOutcome
from station.wire import Answer, Command, Transcript
from tests.dashboard.engine import ScriptedEngine
from tests.dashboard.golden import plain_text
from tests.dashboard.show import Show, connected
from tests.dashboard.tray import NOW_UTC_US

SECOND_US = 1_000_000

EC25 = RecipeView(
    name="ec25-efa-r06a06",
    revision=3,
    sha256="1a2b3c4d" + "0" * 56,
    sku=("EC25EFA*", "EC25-EFA*"),
    version="EC25EFAR06A06M4G_01.002.01.002",
    package="EC25EFAR06A06M4G_01.002.01.002",
)
RM500Q = RecipeView(
    name="rm500q-gl-r11a06",
    revision=1,
    sha256="feedbeef" + "1" * 56,
    sku=("RM500QGL*",),
    version="RM500QGLAAR11A06M4G_01.001.01.001",
    package="RM500QGLAAR11A06M4G_01.001.01.001.zip",
)

PASSED = SlotView(
    slot="A1",
    state=SlotState.DONE,
    since_utc_us=NOW_UTC_US - 20 * SECOND_US,
    port_path="1-1.1",
    usb_id="2c7c:0125",
    imei="866758041234567",
    serial="MPY21K6010000123",
    chip_serial="1a2b3c4d",
    model="EC25",
    sku="EC25EFA-512-STD",
    firmware="EC25EFAR06A06M4G_01.002.01.002",
    recipe="ec25-efa-r06a06 rev 3",
    version="EC25EFAR06A06M4G_01.002.01.002",
    attempt_id="019a96b2-7d30-7c41-9f2e-0c55f1d1a001",
    began_utc_us=NOW_UTC_US - 115 * SECOND_US,
    ended_utc_us=NOW_UTC_US - 20 * SECOND_US,
    steps=(
        StepView("identify", StepOutcome.OK, 1_200_000, "EC25-EFA R05A03"),
        StepView("enter EDL", StepOutcome.OK, 2_400_000),
        StepView("sahara", StepOutcome.OK, 800_000, "programmer 412 kB"),
        StepView("program", StepOutcome.OK, 61_300_000, "24 images, 61.0 MB"),
        StepView("verify", StepOutcome.OK, 18_900_000, "24 images read back"),
        StepView("reset", StepOutcome.OK, 9_700_000),
    ),
    outcome=Outcome.PASS,
)
FLASHING = replace(
    PASSED,
    slot="A2",
    state=SlotState.FLASHING,
    firmware="EC25EFAR05A03M4G_01.001.01.001",
    imei="866758041234575",
    ended_utc_us=None,
    began_utc_us=NOW_UTC_US - 41 * SECOND_US,
    step="program system",
    done_bytes=26_230_000,
    total_bytes=61_000_000,
    bytes_per_s=4_120_000,
    steps=(*PASSED.steps[:3], StepView("program")),
    outcome=None,
)
FAILED = replace(
    PASSED,
    slot="A3",
    firmware="EC25EFAR05A03M4G_01.001.01.001",
    imei="866758041234583",
    steps=(
        *PASSED.steps[:3],
        StepView("program", StepOutcome.FAILED, 31_000_000, "NAK at block 1042 of system"),
    ),
    outcome=Outcome.FAIL,
    failure=Failure(
        code="P112",
        headline="WRITE REFUSED",
        cause="The module refused to write 'system': ERASE failed at sector 1042.",
        remedy="Retry once; if it refuses again, put the module into the red bin.",
        retryable=True,
        outcome=Outcome.FAIL,
    ),
)
BEFORE = SlotView(
    slot="A4",
    state=SlotState.DONE,
    since_utc_us=NOW_UTC_US - 20 * SECOND_US,
    imei="866758041234591",
    firmware="EC25EFAR06A06M4G_01.002.01.002",
    earlier=Earlier(Outcome.PASS, "B2", NOW_UTC_US - 7200 * SECOND_US),
)
EMPTY = SlotView("A5", SlotState.EMPTY, NOW_UTC_US - 300 * SECOND_US)
HELD = SlotView("A6", SlotState.HELD, NOW_UTC_US - 300 * SECOND_US)

SLOTS = (PASSED, FLASHING, FAILED, BEFORE, EMPTY, HELD)

LINE = LineView(
    state=LineState.ARMED,
    operator="maria",
    recipes=(EC25,),
    target=100,
    counts=Counts(good=37, first=40, first_pass=36),
)

LOG = (
    LogLine(NOW_UTC_US - 120 * SECOND_US, "line armed by maria: ec25-efa-r06a06 rev 3"),
    LogLine(NOW_UTC_US - 115 * SECOND_US, "module appeared", "A1"),
    LogLine(NOW_UTC_US - 20 * SECOND_US, "PASS, 95.0 s", "A1", True),
    LogLine(NOW_UTC_US - 10 * SECOND_US, "FAIL P112 WRITE REFUSED", "A3", False),
)

Dialog = StationDialog[bool] | StationDialog[str | None] | StationDialog[tuple[str, str] | None]
AnyScreen = StationScreen | Dialog


class Shelf:
    """A history that holds these attempts, newest first, or cannot be asked."""

    def __init__(self, found: Iterable[AttemptRecord] = ()) -> None:
        self.found = list(found)
        self.asked: list[str] = []
        self.answers: dict[Ask, Sheet] = {}
        self.error: StationError | None = None

    def find(self, text: str, limit: int) -> list[AttemptRecord]:
        self.asked.append(text)
        if self.error:
            raise self.error
        return self.found[:limit]

    def ask(self, asked: Ask, text: str, now_utc_us: int, limit: int) -> Sheet:
        self.asked.append(f"{asked.name} {text}".rstrip())
        if self.error:
            raise self.error
        return self.answers[asked]


@dataclass
class Stage:
    """The screen, what is behind it, and what came of it."""

    engine: ScriptedEngine
    show: Show
    screen: AnyScreen
    answers: list[object] = field(default_factory=list)
    """What the screen was left with."""

    @property
    def text(self) -> str:
        """What stands on the terminal, without colours."""
        return plain_text(self.show.app)

    @property
    def is_left(self) -> bool:
        return self.screen not in self.show.app.screen_stack

    async def press(self, *keys: str) -> None:
        await self.show.press(*keys)

    async def until(self, *texts: str) -> None:
        """Wait until all of this stands on the terminal."""

        def is_there() -> bool:
            self.show.app.show_news()
            return all(text in self.text for text in texts)

        await self.show.until(is_there)

    async def say_nothing_for(self, silence_us: int) -> None:
        """The engine is silent for so long."""
        self.show.clock.utc_us += silence_us
        await self.show.drawn()


@asynccontextmanager
async def staged(
    screen: AnyScreen,
    folder: Path,
    size: tuple[int, int] = (80, 24),
    *,
    plain: bool = False,
    kiosk: bool = False,
    line: LineView = LINE,
    history: Shelf | None = None,
    reply: Callable[[Command], Answer | bool | None] = lambda _: None,
) -> AsyncIterator[Stage]:
    """The screen over a dashboard that is connected; `reply` as in ScriptedEngine."""
    engine = ScriptedEngine((tuple(view.slot for view in SLOTS),), line, SLOTS)
    engine.log = LOG
    engine.reply = reply
    async with connected(engine, folder / "s", size, plain=plain, kiosk=kiosk) as show:
        if history is not None:
            show.app.history = history
        stage = Stage(engine, show, screen)
        await show.app.push_screen(screen, stage.answers.append)
        await show.drawn()
        yield stage


def transcript(slot: str, *texts: str, anew: bool = True) -> Transcript:
    """What was said to the module in this slot; the engine numbers it."""
    lines = tuple(LogLine(NOW_UTC_US, text, slot) for text in texts)
    return Transcript(0, slot, lines, anew)


def offer(*recipes: RecipeView, problem: str | None = None) -> Answer:
    """The answer to Recipes."""
    return Answer(None, data={"recipes": [asdict(each) for each in recipes], "problem": problem})
