"""Simulated modules for the kernel: a server that exports them over USB/IP, in trio.

A connection asks for the list, or imports one module and is that module until either side
closes it. Whoever connects is hostile until proven: lengths, time and numbers are bounded, and a
bad command ends its own connection and nothing else.
"""

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import trio

from station.errors import ConfigError, Disconnected, ProtocolError
from station.sim import usbip_wire as wire
from station.sim.descriptors import dress
from station.sim.port import Module, SimPort
from station.sim.usbip_device import UsbipDevice
from station.sim.usbip_visit import Gone, Visit, Wires
from station.sim.usbip_wire import Device, ImportStatus, Op, Speed

TCP_PORT = 3240
"""Where USB/IP lives, as registered."""

MAX_CONNECTIONS = 128
_MAX_DEVICE_NUMBER = 127


async def listen_tcp(
    tcp_port: int = TCP_PORT, host: str = "127.0.0.1"
) -> Sequence[trio.SocketListener]:
    """Listen at this address and no other. Raises ConfigError if that cannot be."""
    if not host or not 0 <= tcp_port <= 0xFFFF:
        raise ConfigError(f"{host!r} port {tcp_port} is no address to export modules at")
    try:
        return await trio.open_tcp_listeners(tcp_port, host=host)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"nothing can listen at {host} port {tcp_port}: {reason}") from error


@dataclass(slots=True)
class _Berth:
    """A port that is exported: who waits at it, and which enumeration is imported."""

    port: SimPort
    imported: int | None = None
    visits: set[Visit] = field(default_factory=set)
    _waiting: trio.lowlevel.ParkingLot = field(default_factory=trio.lowlevel.ParkingLot)

    @property
    def bus_id(self) -> str:
        """The same through all changes of mode and speed."""
        return str(self.port.high_speed)

    def device(self) -> Device | None:
        """Who is there now."""
        info = self.port.device(trio.current_time())
        face = self.port.face
        if info is None or face is None:
            return None
        look = dress(face)
        return Device(
            self.bus_id,
            self.port.high_speed.bus,
            1 + (info.generation - 1) % _MAX_DEVICE_NUMBER,
            Speed.SUPER if face.superspeed else Speed.HIGH,
            *(face.vid, face.pid, look.version, look.device_class),
            tuple((i.usb_class, i.usb_subclass, i.usb_protocol) for i in face.interfaces),
        )

    def ring(self) -> None:
        """Something happened here: whoever waits looks again."""
        self._waiting.unpark_all()
        for visit in self.visits:
            visit.wake()

    async def changed(self, until_s: float | None = None) -> None:
        """Until the next ring or that time; always a checkpoint."""
        with trio.move_on_at(math.inf if until_s is None else until_s):
            await self._waiting.park()


class UsbipServer:
    """Exports modules at their ports; a bus id is the path of the port's USB 2 side.

    A module that leaves the bus ends the connection that imported it; the next import of the
    same bus id gets it as it came back. `tell` is told what happens, one sentence at a time.
    `patience` stretches all deadlines, for clocks that run faster than the wall.
    """

    def __init__(
        self,
        ports: Sequence[SimPort],
        tell: Callable[[str], None] = lambda _: None,
        *,
        patience: float = 1.0,
    ) -> None:
        self._berths = {str(port.high_speed): _Berth(port) for port in ports}
        self._tell = tell
        self._patience = patience
        self._connections = 0

    def plug(self, port: SimPort, module: Module) -> None:
        """Put a module into a port now; whatever was there is pulled out."""
        port.plug(module, trio.current_time())
        self._berths[str(port.high_speed)].ring()

    def unplug(self, port: SimPort) -> None:
        """Pull the module out now; the connection that imported it ends."""
        port.unplug()
        self._berths[str(port.high_speed)].ring()

    def ring(self, port: SimPort) -> None:
        """Something was done at this port from elsewhere."""
        self._berths[str(port.high_speed)].ring()

    async def present(self, port: SimPort) -> Device:
        """Wait until a module is on the bus here and nobody has imported it."""
        berth = self._berths[str(port.high_speed)]
        while (device := berth.device()) is None or berth.imported == port.generation:
            await berth.changed(port.next_change_s(trio.current_time()))
        return device

    def shows(self, port: SimPort, device: Device) -> bool:
        """`device` is the one that is there now."""
        return self._berths[str(port.high_speed)].device() == device

    async def hand_over(self, port: SimPort, device: Device, stream: trio.SocketStream) -> None:
        """Be this device on a connection that begins behind the import, until either side ends
        it. At once if `device` is not the one that is there any more."""
        berth = self._berths[str(port.high_speed)]
        async with stream:
            if berth.device() == device and berth.imported != port.generation:
                await self._end_well(self._visit(Wires(stream, self._patience), berth, device))

    async def serve(
        self,
        listeners: Sequence[trio.SocketListener],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Answer whoever connects, by TCP or unix socket, until cancelled; closes `listeners`."""
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, self._receive, listeners)
            task_status.started()

    async def _receive(self, stream: trio.SocketStream) -> None:
        """One connection from its question to its end; never raises an Exception."""
        self._connections += 1
        try:
            async with stream:
                await self._end_well(self._converse(stream))
        finally:
            self._connections -= 1

    async def _end_well(self, conversation: Awaitable[None]) -> None:
        """Whatever ends it, ends it alone."""
        try:
            await conversation
        except* Gone:
            pass
        except* Disconnected as gone:
            self._tell(str(gone.exceptions[0]))
        except* ProtocolError as refused:
            self._tell(f"a connection was dropped: {refused.exceptions[0]}")
        except* Exception as bugs:  # noqa: BLE001 - one peer's trouble is never the others'
            self._tell(f"a connection was dropped by a bug: {bugs.exceptions[0]!r}")

    async def _converse(self, stream: trio.SocketStream) -> None:
        if self._connections > MAX_CONNECTIONS:
            raise ProtocolError(f"{MAX_CONNECTIONS} connections are open already")
        wires = Wires(stream, self._patience)
        question = await wires.exactly(wire.QUESTION_BYTES)
        match wire.parse_question(question):
            case Op.DEVLIST:
                found = [berth.device() for berth in self._berths.values()]
                await wires.send(wire.devlist_answer(each for each in found if each is not None))
            case Op.IMPORT:
                bus_id = wire.parse_bus_id(await wires.exactly(wire.BUS_ID_BYTES))
                await self._import(wires, bus_id)

    async def _import(self, wires: Wires, bus_id: str) -> None:
        berth = self._berths.get(bus_id)
        device = berth.device() if berth is not None else None
        if berth is None or device is None:
            await wires.send(wire.import_refusal(ImportStatus.NO_DEVICE))
            return
        if berth.imported == berth.port.generation:
            await wires.send(wire.import_refusal(ImportStatus.BUSY))
            return
        await self._visit(wires, berth, device, wire.import_answer(device))

    async def _visit(
        self, wires: Wires, berth: _Berth, device: Device, greeting: bytes = b""
    ) -> None:
        """Be `device`, which is at this berth now."""
        generation, face = berth.port.generation, berth.port.face
        if face is None:
            return
        berth.imported = generation
        visit = Visit(wires, UsbipDevice(berth.port, face, device.id))
        berth.visits.add(visit)
        try:
            self._tell(f"{berth.bus_id} is imported as {device.vid:04x}:{device.pid:04x}")
            await wires.send(greeting)
            await visit.run()
        finally:
            berth.visits.discard(visit)
            if berth.imported == generation:
                berth.imported = None
            berth.ring()
