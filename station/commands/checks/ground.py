"""What checks stand on: the settings, the USB tree, the person judged, and the machine's folders.

Tests give other folders; on a machine `root` is `/`.
"""

import ctypes
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from station.commands.checks.finding import Finding
from station.commands.checks.person import Person, keeper
from station.config import Families, Settings
from station.model import Slot
from station.transport.locate import locate
from station.transport.topology import Topology, UsbDevice

_TIMEX_BYTES = 512
"""More than any kernel's `struct timex`; all zero asks and sets nothing. Ref: adjtimex(2)."""


def kernel_clock_state() -> int:
    """What adjtimex(2) returns: 5 (TIME_ERROR) for a clock that nobody sets, -1 for no answer."""
    return int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))


@dataclass(frozen=True, slots=True)
class Ground:
    """`keeper` is who runs the engine, as far as can be told."""

    settings: Settings
    families: Families
    topology: Topology
    root: Path = Path("/")
    keeper: Person = field(default_factory=keeper)
    utc_us: Callable[[], int] = lambda: time.time_ns() // 1000
    clock_state: Callable[[], int] = kernel_clock_state

    @property
    def slots(self) -> tuple[Slot, ...]:
        """With their ports as they are now; those that are not in their place say why."""
        settings = self.settings
        return locate(settings.slots, settings.hubs, self.topology).slots

    @property
    def modules(self) -> tuple[UsbDevice, ...]:
        """The devices that this station would work with, in whatever mode they are."""
        return tuple(d for d in self.topology.devices if self.families.is_module(d.usb_id))


Check = Callable[[Ground], Iterator[Finding]]
