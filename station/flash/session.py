"""One unit in one slot while it is worked on: the claimed device, what is known, what was done."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import trio

from station.config import Families, Family, QuectelEdlRecipe
from station.disk import Disk
from station.errors import Bug, Disconnected, StationError, Timeout, UsbAccess, UsbBusy
from station.flash.pump import Watch, at_once, pump
from station.flash.tape import NoTape, Tape
from station.model import (
    DeviceInfo,
    EvidenceRef,
    Identifier,
    ImageSent,
    Mode,
    StepRecord,
    Unit,
)
from station.plan import FlashPlan
from station.protocols import sahara
from station.protocols.dialogue import Dialogue, Notice, Progress, Source
from station.protocols.firehose import Firehose, Profile
from station.transport.base import Backend, Pipe, Port

T = TypeVar("T")

OPEN_PATIENCE_S = 10.0
"""How long a device that just enumerated may be busy or closed to us: udev and kernel drivers
have it first."""


class Recorder(Protocol):
    """Where facts go as they become true. Each call returns when the fact is safe."""

    async def step(self, record: StepRecord) -> None: ...

    async def image(self, image: ImageSent) -> None: ...

    async def identifiers(self, identifiers: tuple[Identifier, ...]) -> None: ...

    async def learn(self, identifiers: tuple[Identifier, ...]) -> None:
        """Names that may wait for the closing commit."""
        ...


class Package(Protocol):
    """An opened, checked package: images by their path in the package."""

    def source(self, path: str) -> Source: ...


class DumpFile(Protocol):
    """Where memory goes that is read out of a module. Both raise DumpNotKept."""

    async def add(self, data: bytes) -> None: ...

    async def keep(self) -> EvidenceRef:
        """It is whole, and safe when this returns; without it nothing is left of the file."""
        ...


async def _never(_: str) -> bool:
    return False


async def _nobody() -> str | None:
    return None


async def _unchecked(_: Unit) -> None:
    return


def _nowhere() -> AbstractAsyncContextManager[DumpFile]:
    raise Bug("memory is to be read out, and there is nowhere to keep it")


@dataclass(slots=True)
class Session:
    """What the steps of a procedure share. Used by one task."""

    backend: Backend
    port: Port
    families: Families
    recorder: Recorder
    watch: Watch
    tape: Tape = field(default_factory=NoTape)
    disk: Disk = field(default_factory=Disk)
    """Where the packages are."""
    keep_dump: Callable[[], AbstractAsyncContextManager[DumpFile]] = _nowhere
    unit: Unit = field(default_factory=Unit)
    family: Family | None = None
    device: DeviceInfo | None = None
    pipe: Pipe | None = None
    recipe: QuectelEdlRecipe | None = None
    plan: FlashPlan | None = None
    package: Package | None = None
    greeting: sahara.Greeting | None = None
    firehose: Firehose | None = None
    nudges: list[str] = field(default_factory=list)
    """What the module had to be given in the step that runs, to go on."""
    chip_refused: bool = False
    """Command mode led this boot ROM into a dead end once; it is not asked again."""
    switched: bool = False
    """The module was told to leave normal mode."""
    touched: bool = False
    """The first command that changes the flash memory was sent."""
    identified: DeviceInfo | None = None
    """The enumeration that `unit` was read from; any other may be another module."""
    trusted: DeviceInfo | None = None
    """The enumeration taken for the module worked on: identified, or brought here by a switch, a
    reset or a power cycle of ours, or proven by its chip serial. What it tells of its chip in EDL
    must agree all the same."""
    layout_proven: bool = False
    """This very module's partition table was seen to agree with the package, now or by an attempt
    before."""
    layout_agreed: Callable[[str], Awaitable[bool]] = _never
    """Whether any earlier attempt saw that, on the module with this chip serial."""
    spoiled_by: Callable[[], Awaitable[str | None]] = _nobody
    """The attempt that may have changed this module's flash memory, and did not pass, if it is the
    newest that may have."""
    check_names: Callable[[Unit], Awaitable[None]] = _unchecked
    """Asked whenever a name was read that may tell two modules apart. Raises StationError."""
    dumped: bool = False
    """What the recipe wants to be kept of the module's memory is kept."""
    identifiers: list[Identifier] = field(default_factory=list)
    """Every name of the unit with its source."""
    reset_s: float | None = None
    """When it left for normal mode after the flash, in seconds of trio's clock."""
    return_us: int | None = None
    """How long it then took to show itself there."""
    after: Unit | None = None
    """What the module said of itself once it was back in normal mode."""

    @property
    def mode(self) -> Mode:
        device = self.port.device
        return Mode.ABSENT if device is None else self.families.mode_of(device)

    @property
    def edl_profile(self) -> Profile:
        """How this module's programmer wants to be spoken to."""
        family = self.family or self.families.edl_default
        return family.firehose

    @property
    def asks_chip_identity(self) -> bool:
        family = self.family or self.families.edl_default
        return family.chip_identity and not self.chip_refused

    def job(self) -> tuple[FlashPlan, Package]:
        """Plan and package; steps that write are never run without them."""
        if self.plan is None or self.package is None:
            raise Bug("a step that writes was run without a plan")
        return self.plan, self.package

    def greeted(self) -> sahara.Greeting:
        if self.greeting is None:
            raise Bug("a programmer is loaded before the boot ROM was greeted")
        return self.greeting

    def programmer(self) -> Firehose:
        if self.firehose is None:
            raise Bug("a step that needs the programmer was run without one")
        return self.firehose

    async def open(self, device: DeviceInfo, interface: int, *, line_state: bool) -> None:
        """Claim an interface, letting go of the one before."""
        await self.close()
        with trio.move_on_after(OPEN_PATIENCE_S):
            while self.pipe is None:
                try:
                    self.pipe = await self.backend.open(device, interface, line_state=line_state)
                except (UsbBusy, UsbAccess):
                    await self.backend.wait_change(0.25)
        if self.pipe is None:
            self.pipe = await self.backend.open(device, interface, line_state=line_state)
        self.device = device
        self.tape.said("open", f"interface {interface} of {device.usb_id} on {device.path}")

    async def let_go(self) -> None:
        """Forget who listens; the next to come must be greeted."""
        self.firehose = self.greeting = None
        await self.close()

    async def close(self) -> None:
        pipe, self.pipe = self.pipe, None
        if pipe is not None:
            with trio.move_on_after(5, shield=True):
                await pipe.aclose()

    async def run(
        self,
        dialogue: Dialogue[T],
        *,
        before: int = 0,
        total: int = 0,
        between: Callable[[], Awaitable[None]] = at_once,
    ) -> T:
        """Run a dialogue on the open pipe; if it is a part of `total` bytes of which `before` are
        done, its progress is told as that of the whole. `between` two intents the module waits."""
        if self.pipe is None:
            dialogue.close()
            raise Disconnected("the module is not open")

        def watch(seen: Progress | Notice) -> None:
            if total and isinstance(seen, Progress):
                seen = Progress(before + seen.done_bytes, total)
            if isinstance(seen, Notice) and seen.is_nudge:
                self.nudges.append(seen.text)
            self.watch(seen)

        await self.tape.settle()
        return await pump(dialogue, self.pipe, watch, self.tape, between)

    async def await_mode(self, *modes: Mode, timeout_s: float) -> DeviceInfo:
        """The device in this slot once it is in one of these modes. Raises Timeout."""

        def accept(device: DeviceInfo | None) -> bool:
            return device is not None and self.families.mode_of(device) in modes

        device = await self.port.wait(accept, timeout_s)
        if device is None:
            raise Timeout("the slot is empty")
        return device


StepDetail = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step tells the record: payload bytes moved, facts in words, whether it was skipped."""

    bytes: int = 0
    detail: StepDetail = field(default_factory=dict)
    skipped: bool = False


StepFunction = Callable[[Session], Awaitable[StepResult]]


@dataclass(frozen=True, slots=True)
class Step:
    """A named part of a procedure. `repeatable`: safe to do again at once after a retryable
    failure; `anew`: where the work begins again once more was done about it (None: here).
    `is_patient`: it waits for the module and opens it again by itself, so only a reset can help.
    `detail` is on record however it ends; `late` is what a passed deadline means."""

    name: str
    run: StepFunction
    repeatable: bool = False
    late: type[StationError] = Timeout
    anew: str | None = None
    is_patient: bool = False
    detail: StepDetail = field(default_factory=dict)
