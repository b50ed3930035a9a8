"""A module that echoes, and obeys a few words; strict enough to see what the wire did."""

from dataclasses import dataclass, field

from station.model import Endpoint, Interface
from station.sim.port import Face, Leave, Reaction, Say, Taken

DIAG = Interface(0, 0xFF, 0xFF, 0x30, (Endpoint(0x81, 2, 512), Endpoint(0x01, 2, 512)))
AT = Interface(
    2, 0xFF, 0, 0, (Endpoint(0x87, 3, 10), Endpoint(0x86, 2, 512), Endpoint(0x04, 2, 512))
)
MUTE = Interface(4, 0xFF, 0xFF, 0xFF, (Endpoint(0x89, 3, 8),))
RUNTIME = Face(0x2C7C, 0x0125, (DIAG, AT, MUTE), product="Loopback")
EDL = Face(0x05C6, 0x9008, (DIAG,))


@dataclass
class Loopback:
    """Answers each transfer with itself, but: `hush` nothing, `empty` a zero-length packet,
    `twice` two transfers, `edl` by leaving and returning as 05c6:9008.

    `leaves_after` transfers it is gone for good; `busy_s` is its work for each.
    """

    busy_s: float = 0.0
    leaves_after: int | None = None
    received: list[tuple[int, bytes]] = field(default_factory=list)
    controls: list[tuple[int, int, int, int]] = field(default_factory=list)

    def power_on(self) -> tuple[Face, tuple[Reaction, ...]]:
        return RUNTIME, ()

    def enumerated(self, face: Face) -> tuple[Reaction, ...]:
        assert face == EDL
        return ()

    def bus_reset(self) -> tuple[Reaction, ...]:
        return ()

    def receive(self, interface: int, data: bytes) -> Taken:
        self.received.append((interface, data))
        if self.leaves_after is not None and len(self.received) >= self.leaves_after:
            return Taken(self.busy_s, (Leave(None),))
        return Taken(self.busy_s, self._answer(interface, data))

    def control(self, request_type: int, request: int, value: int, index: int) -> None:
        self.controls.append((request_type, request, value, index))

    def _answer(self, interface: int, data: bytes) -> tuple[Reaction, ...]:
        match data:
            case b"" | b"hush":
                return ()
            case b"empty":
                return (Say(interface, b""),)
            case b"twice":
                return (Say(interface, b"one"), Say(interface, b"two"))
            case b"edl":
                return (Leave(EDL, absent_s=0.05),)
            case _:
                return (Say(interface, data),)
