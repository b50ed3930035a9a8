"""Devices that are no modules, or lie about what they are: what a slot must survive.

Each is a `station.sim.port.Module`, for the in-process backend as for USB/IP; lies in descriptors
show over USB/IP only, where somebody reads them.

Ref: USB 2.0 9.6; HID 1.11 appendix E.10 (boot mouse).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import repeat

from station.model import Endpoint, Interface
from station.sim import faces
from station.sim.port import Face, Leave, Lie, Reaction, Stream, Taken

MANY = 300
FLOOD_BYTES_PER_S = 20e6
FLAP_S = 0.15
"""Amid enumeration, which takes a kernel longer: the reset alone takes 50 ms."""
SWAP_S = 0.4

_BULK, _INTERRUPT = 2, 3
_MODULE = faces.runtime_face(0x0125, "EC25", superspeed=False)
_BOOT_MOUSE_REPORT = bytes.fromhex(
    "05010902a1010901a10005091901290315002501950375018102950175058101"
    "0501093009311581257f750895028106c0c0"
)
_MOUSE = Face(
    0x046D,
    0xC077,
    (Interface(0, 3, 1, 2, (Endpoint(0x81, _INTERRUPT, 4),)),),
    "USB Optical Mouse",
    lie=Lie(
        extra=bytes((9, 0x21, 0x11, 0x01, 0, 1, 0x22, len(_BOOT_MOUSE_REPORT), 0)),
        report=_BOOT_MOUSE_REPORT,
    ),
)
_STICK = Face(
    0x0951,
    0x1666,
    (Interface(0, 8, 6, 0x50, (Endpoint(0x81, _BULK, 512), Endpoint(0x02, _BULK, 512))),),
    "DataTraveler",
)
_ENDLESS = bytes.fromhex("09020f270101008032 0904000002ffffff00 07058102000200 0305 00 ffff")
"""A configuration of 9999 bytes, it says; its second endpoint is three bytes long, then zero."""


@dataclass(slots=True)
class Odd:
    """Shows `face`; says nothing to anything. `floods`: all interfaces, without end. `leaves_s`:
    so long after it came it goes, to come back as `then`."""

    face: Face
    floods: bool = False
    leaves_s: float | None = None
    then: Face | None = None

    def power_on(self) -> tuple[Face, tuple[Reaction, ...]]:
        return self.face, self.enumerated(self.face)

    def enumerated(self, face: Face) -> tuple[Reaction, ...]:
        reactions = self.bus_reset()
        if self.leaves_s is not None and face is self.face:
            return (*reactions, Leave(self.then, self.leaves_s, absent_s=0.05))
        return reactions

    def bus_reset(self) -> tuple[Reaction, ...]:
        """What never stops talking goes on."""
        if not self.floods:
            return ()
        return tuple(
            Stream(interface.number, _flood(interface), FLOOD_BYTES_PER_S)
            for interface in self.face.interfaces
        )

    def receive(self, interface: int, data: bytes) -> Taken:  # noqa: ARG002 - it does not listen
        return Taken()

    def control(self, request_type: int, request: int, value: int, index: int) -> None:
        """It takes what it is told, and does nothing."""


@dataclass(frozen=True, slots=True)
class Oddity:
    """A named stranger; `description` is one line for `--list-faults`."""

    description: str
    make: Callable[[], Odd]


def _flood(interface: Interface) -> Iterator[bytes]:
    return repeat(bytes([interface.number]) * 512)


def _bare(count: int) -> tuple[Interface, ...]:
    return tuple(Interface(number, 0xFF, 0xFF, 0xFF, ()) for number in range(count))


ODDITIES = {
    "no-endpoints": Oddity(
        "has its interfaces but no endpoint", lambda: Odd(replace(_MODULE, interfaces=_bare(5)))
    ),
    "wrong-lengths": Oddity(
        "lies about the lengths of its descriptors",
        lambda: Odd(replace(_MODULE, lie=Lie(configuration=_ENDLESS))),
    ),
    "empty-strings": Oddity(
        "has strings, all of them empty",
        lambda: Odd(replace(faces.edl_face("QUSB__BULK"), lie=Lie(empty_strings=True))),
    ),
    "many-interfaces": Oddity(
        f"shows {MANY} interfaces", lambda: Odd(replace(_MODULE, interfaces=_bare(MANY)))
    ),
    "mute-device": Oddity(
        "answers nothing, not even who it is", lambda: Odd(replace(_MODULE, lie=Lie(mute=True)))
    ),
    "mute-ports": Oddity("looks like a module and answers nothing", lambda: Odd(_MODULE)),
    "flood": Oddity(
        "looks like a module and never stops talking", lambda: Odd(_MODULE, floods=True)
    ),
    "flapping": Oddity(
        "leaves amid enumeration and comes back, again and again",
        lambda: Odd(_MODULE, leaves_s=FLAP_S, then=_MODULE),
    ),
    "two-devices": Oddity(
        "is another device half a second later",
        lambda: Odd(_MODULE, leaves_s=SWAP_S, then=_MOUSE),
    ),
    "mouse": Oddity("is a mouse", lambda: Odd(_MOUSE)),
    "stick": Oddity("is a memory stick that does not answer", lambda: Odd(_STICK)),
}
