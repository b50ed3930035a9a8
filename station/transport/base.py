"""What the engine needs from any world of modules: backends, pipes, ports.

`libusb.py` is the real one, `station.sim.backend` the simulated one; both pass the same
contract test. Every failure is a `station.errors.UsbError`; nothing of pyusb leaks out.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from station.model import DeviceInfo
from station.places import PortPath
from station.protocols.dialogue import Sent, Source

SPAN_BYTES = 1 << 20
"""How much of an image is read at once; what goes to the wire in one trip, at most."""


def check_read(max_bytes: int, packet_bytes: int) -> None:
    """What every pipe asks of `read`: less than a packet would be overrun by one."""
    if max_bytes <= 0 or max_bytes % packet_bytes:
        raise ValueError(f"{max_bytes} is not a multiple of {packet_bytes}")


def check_span(length_bytes: int, chunk_bytes: int) -> None:
    """And of `write_span`."""
    if chunk_bytes <= 0 or length_bytes < 0:
        raise ValueError(f"a span of {length_bytes} bytes in chunks of {chunk_bytes}")


class Pipe(Protocol):
    """The two bulk endpoints of one claimed interface. Used by one task at a time."""

    @property
    def max_packet_bytes(self) -> int: ...

    async def read(self, max_bytes: int, timeout_s: float) -> bytes:
        """One read: up to `max_bytes` of one transfer; may be empty (zero-length packet).

        `max_bytes` is a multiple of the packet size. Zero `timeout_s` returns only what is
        there already; in vain, the next read may be given no more than was asked for here. Raises
        Timeout when nothing came, Disconnected, UsbStall, UsbBroken.
        Cancellation is prompt and loses no byte: what had come is the answer of the next read.
        """
        ...

    async def write(self, data: bytes, *, zlp: bool, timeout_s: float) -> None:
        """One OUT transfer, whole or an error; `zlp` ends a full last packet with an empty one.

        Raises Timeout, also when only a part was taken in time, Disconnected, UsbStall, UsbBroken.
        """
        ...

    async def write_span(
        self,
        source: Source,
        offset_bytes: int,
        length_bytes: int,
        *,
        chunk_bytes: int,
        zlp: bool,
        timeout_s: float,
        sent: Sent | None,
    ) -> None:
        """Payload in transfers of `chunk_bytes`; see `station.protocols.dialogue.SendSpan`.

        `timeout_s` is the longest time in which no chunk is taken. `sent` is told in order what
        was taken, also before an error or a cancellation comes out; several chunks may be under
        way then, the last of them taken in part. When this returns none is. Raises FileChanged
        if the image got shorter. Cancellation is prompt: transfers under way are recalled, or
        those of a quarter second are let through where that cannot be done.
        """
        ...

    async def aclose(self) -> None:
        """Give the interface back; never raises for a device that is gone. Idempotent."""
        ...


class Backend(Protocol):
    """A world of USB devices."""

    library: str | None
    """The version of libusb; None where there is none, with simulated modules."""

    async def scan(self) -> tuple[DeviceInfo, ...]:
        """Every device there is now, nothing opened. Raises UsbUnavailable, UsbAccess."""
        ...

    async def wait_change(self, timeout_s: float) -> None:
        """Return when a device may have come or gone, at the latest after `timeout_s`."""
        ...

    async def open(self, device: DeviceInfo, interface: int, *, line_state: bool) -> Pipe:
        """Claim one interface of a device that `scan` showed.

        `line_state` sets DTR and RTS first, which the AT and DIAG ports of a running module
        need. Raises Disconnected when that enumeration is gone, UsbBusy, UsbAccess.
        """
        ...

    async def product(self, device: DeviceInfo) -> str | None:
        """The product string; opens the device, so ask only when it is needed."""
        ...

    def power(self) -> "Power":
        """Takes the power of its ports away."""
        ...

    async def reset(self, device: DeviceInfo) -> None:
        """Reset its USB port. It stays the same enumeration unless it comes back as something
        else. Raises Disconnected, UsbAccess, UsbBroken."""
        ...


class Port(Protocol):
    """Who sits in one slot now; what a flash may know of its place."""

    @property
    def device(self) -> DeviceInfo | None: ...

    @property
    def lost_s(self) -> float:
        """When a device left last, in seconds of trio's clock; minus infinity: none ever did."""
        ...

    async def wait(
        self, accept: Callable[[DeviceInfo | None], bool], timeout_s: float
    ) -> DeviceInfo | None:
        """The first occupant (or None for empty) that is accepted. Raises Timeout."""
        ...


RETURN_S = 40.0
"""For a module whose power is on again: it boots in 15 to 30 s."""


class Switched(Enum):
    """What a port did when its power was to go off and on again."""

    SWITCHES = "SWITCHES"
    PRETENDS = "PRETENDS"
    """Asked to cut the power, the hub went on as before."""
    CUTS_OTHERS = "CUTS OTHERS"
    """Others on the hub lost their power, too, though it says that each port is switched alone."""
    NO_RETURN = "NO RETURN"
    """The module left and did not come back in time."""
    NOT_SWITCHABLE = "NOT SWITCHABLE"
    """Refused before anything was done."""
    EMPTY = "EMPTY"
    """Nothing is plugged in, so nothing can be proven, and nothing was done."""
    NO_ACCESS = "NO ACCESS"


@dataclass(frozen=True, slots=True)
class PowerProof:
    """What was seen. `left_s` counts from the request to the disconnect, `back_s` from power on
    to the return; None if it was not seen. `why` is for people, empty when all is well.
    `spares_others`: somebody else sat on the hub, and stayed."""

    verdict: Switched
    why: str = ""
    left_s: float | None = None
    back_s: float | None = None
    spares_others: bool = False


Leaving = Callable[[DeviceInfo], bool]
"""Whether somebody has told this device to leave."""


def nobody(_: DeviceInfo) -> bool:
    """Nobody was told to leave."""
    return False


class Power(Protocol):
    """Takes the power of a slot away for a moment."""

    async def cycle(
        self,
        ports: Collection[PortPath],
        *,
        off_s: float,
        blind: bool = False,
        is_leaving: Leaving = nobody,
    ) -> PowerProof:
        """Power off at the slot's ports, and at their companions, for `off_s`; then on.

        `blind`: also where nothing shows itself, for a module that must be there; others on the
        hub may be at work meanwhile, and one that leaves because it was told to, as `is_leaving`
        knows, says nothing of the hub.

        Ends with the power on, cancelled or not. A generation that returns is a new one: tell
        whoever watches the slot before, not after. Raises UsbError for a hub that left or does
        not answer; then nobody knows.
        """
        ...
