"""Attaches modules that another machine exports to this machine's kernel.

The kernel is given the connection itself: nothing here stands in the way of a transfer, and the
exporter sees this machine go when its kernel does.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import trio

from station.errors import NoExporter, ProtocolError, RehearsalError
from station.sim import usbip_wire as wire
from station.sim.usbip_wire import Imported
from station.sim.vhci import PortPair, Vhci
from station.sim.vhci_keep import Keeper

CONNECT_S = 10.0
ANSWER_S = 10.0
"""Whoever exports modules answers in this time."""

ASK_S = 0.2
"""How often a module that is not there is asked for; USB/IP has no word for "when it comes"."""

LOOK_S = 0.1
"""How often a port is looked at until its module has left it."""


class Exporter(NamedTuple):
    host: str
    tcp_port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.tcp_port}"

    async def connect(self) -> trio.SocketStream:
        """Raises NoExporter."""
        try:
            with trio.fail_after(CONNECT_S):
                return await trio.open_tcp_stream(self.host, self.tcp_port)
        except trio.TooSlowError:
            raise NoExporter(f"{self} does not answer within {CONNECT_S:g} s") from None
        except OSError as error:
            why = f": {error.strerror}" if error.strerror else ""
            raise NoExporter(f"nobody exports modules at {self}{why}") from error


async def keep_imported(
    exporter: Exporter,
    vhci: Vhci,
    pairs: Mapping[str, PortPair],
    tell: Callable[[str], None],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Hold a pair of ports for each bus id until cancelled; then take the modules out.

    Started once the exporter answered and every port is known to be free. Raises NoExporter,
    VhciTaken, NeedsRoot or NoVhci if that cannot begin; later troubles are told, and are one
    module's.
    """
    keeper = Keeper(vhci, pairs, tell)
    importer = _Importer(exporter, keeper)
    await (await exporter.connect()).aclose()
    await keeper.begin()
    try:
        await keeper.keep(importer.attach_once, task_status=task_status)
    finally:
        for side in keeper.sides:
            with suppress(RehearsalError):  # there is nothing at most of them
                vhci.detach(side)
        await keeper.let_go()


@dataclass(frozen=True, slots=True)
class _Importer:
    exporter: Exporter
    keeper: Keeper

    async def attach_once(self, bus_id: str) -> None:
        """One enumeration until the kernel has seen it go; soon over if the module is not there."""
        stream = await self.exporter.connect()
        async with stream:
            device = await _imported(stream, bus_id)
            if device is None:
                await trio.sleep(ASK_S)
                return
            side = self.keeper.pairs[bus_id].side(device.speed)
            await self.keeper.free_pair(bus_id)
            self.keeper.vhci.attach(side, stream.socket.fileno(), device.id, device.speed)
        self.keeper.tell(f"{bus_id} is {device.vid:04x}:{device.pid:04x} at {side.path}")
        while not self.keeper.vhci.is_free(side):  # noqa: ASYNC110 - sysfs has no event for it
            await trio.sleep(LOOK_S)


async def _imported(stream: trio.SocketStream, bus_id: str) -> Imported | None:
    """The connection is this device from here; None if it is not there. Raises ProtocolError."""
    try:
        with trio.fail_after(ANSWER_S):
            await stream.send_all(wire.import_question(bus_id))
            if not wire.parse_import_head(await _exactly(stream, wire.QUESTION_BYTES)):
                return None
            return wire.parse_imported(await _exactly(stream, wire.DEVICE_BYTES))
    except trio.TooSlowError:
        raise ProtocolError(f"there was no answer for {bus_id} within {ANSWER_S:g} s") from None
    except trio.BrokenResourceError:
        raise ProtocolError(f"the connection for {bus_id} broke") from None


async def _exactly(stream: trio.SocketStream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        if not (more := await stream.receive_some(count - len(data))):
            raise ProtocolError(f"the answer ended after {len(data)} of {count} bytes")
        data += more
    return data
