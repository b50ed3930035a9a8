"""A kernel with virtual ports, played in trio: it takes sockets and enumerates what is behind."""

import os
import socket
from dataclasses import dataclass, field

import trio

from station.errors import NoVhci, VhciTaken
from station.model import PortPath
from station.sim.usbip_wire import Speed
from station.sim.vhci import PortPair, Vhci, VhciPort
from tests.mock_time import time_passes
from tests.sim.usbip_host import Peer

GONE_S = 0.2
"""It takes so long to see a device go."""


@dataclass
class Kernel(Vhci):
    """`seen`: what was attached where and found there, in order."""

    nursery: trio.Nursery
    drops: bool = False
    seen: list[tuple[str, str]] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)
    peers: dict[int, Peer] = field(default_factory=dict)
    looked: trio.lowlevel.ParkingLot = field(default_factory=trio.lowlevel.ParkingLot)

    def pairs(self) -> tuple[PortPair, ...]:
        return tuple(
            PortPair(
                VhciPort(place, 0, PortPath(1, (place + 1,))),
                VhciPort(place + 15, 0, PortPath(2, (place + 1,))),
            )
            for place in range(15)
        )

    def check_access(self) -> None:
        pass

    def is_free(self, port: VhciPort) -> bool:
        return port.number not in self.taken

    def attach(self, port: VhciPort, socket_fd: int, device_id: int, speed: Speed) -> None:
        if port.number in self.taken:
            raise VhciTaken(f"virtual port {port.number} is taken")
        self.taken.add(port.number)
        own = socket.socket(fileno=os.dup(socket_fd))
        peer = Peer(trio.SocketStream(trio.socket.from_stdlib_socket(own)), device_id=device_id)
        self.peers[port.number] = peer
        self.nursery.start_soon(self._enumerate, port, peer)

    def detach(self, port: VhciPort) -> None:
        if (peer := self.peers.get(port.number)) is None:
            raise NoVhci(f"the kernel refused '{port.number}' for detach: Invalid argument")
        peer.stream.socket.shutdown(trio.socket.SHUT_RDWR)

    async def saw(self, count: int) -> list[tuple[str, str]]:
        """What was seen, once it is so much."""
        with trio.fail_after(60):
            while len(self.seen) < count:
                await self.looked.park()
        return self.seen

    async def lost(self, number: int) -> None:
        """Until nothing is at this port any more."""
        with trio.fail_after(60):
            while number in self.taken:
                await self.looked.park()

    async def _enumerate(self, port: VhciPort, peer: Peer) -> None:
        try:
            device = await peer.descriptor(1, 0, 18)
            vid, pid = (int.from_bytes(device[at : at + 2], "little") for at in (8, 10))
            self.seen.append((str(port.path), f"{vid:04x}:{pid:04x}"))
            self.looked.unpark_all()
            if not self.drops:
                await peer.is_closed()
        finally:
            self.peers.pop(port.number, None)
            await peer.stream.aclose()
            with trio.CancelScope(shield=True):
                await time_passes(GONE_S)
            self.taken.discard(port.number)
            self.looked.unpark_all()
