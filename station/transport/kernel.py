"""What the Linux kernel tells of USB besides libusb; all of it can be missing."""

from dataclasses import dataclass, field
from pathlib import Path

from station.transport.hotplug import Changes, Polling, listen
from station.transport.tty_holders import TtyHolders


@dataclass(frozen=True, slots=True)
class Kernel:
    """The default knows nothing: for backends that show devices this kernel does not have."""

    changes: Changes = field(default_factory=Polling)
    sysfs: Path | None = None
    ttys: TtyHolders | None = None


def this_kernel() -> Kernel:
    """Listens from now on: for devices that come and go, and for opens of ttys."""
    return Kernel(listen(), Path("/sys"), TtyHolders())
