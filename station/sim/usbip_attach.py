"""Keeps each simulated module in one port of the kernel's virtual host controller.

The kernel's own `usbip attach` takes the next free port and forgets a device that leaves. Here a
module has its pair of ports for good: it leaves, the connection ends, the kernel takes it away;
it returns, and is attached to the same port, or to the companion if its speed is another now.
"""

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from socket import SO_SNDBUF, SOL_SOCKET, socketpair

import trio

from station.errors import RehearsalError, VhciTaken
from station.sim.port import SimPort
from station.sim.usbip_server import UsbipServer
from station.sim.vhci import PortPair, Vhci, VhciPort

FREE_S = 30.0
"""The kernel has taken a device away by then, drivers, programs that hold it, and all."""

START_S = 5.0
"""A rehearsal that ended just now has let its ports go by then."""

LOOK_S = 0.01
"""How often a port is looked at until it is free; sysfs has no event for that."""

CALM_S = 1.0
"""Between two attachments of the same enumeration: the kernel dropped it and will again."""

_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Berth:
    """A module's place in both worlds."""

    name: str
    port: SimPort
    pair: PortPair


async def keep_attached(
    server: UsbipServer,
    vhci: Vhci,
    berths: Sequence[Berth],
    tell: Callable[[str], None],
    *,
    patience: float = 1.0,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Hold every module's ports until cancelled; then wait until the kernel has let all go.

    Started once every port is known to be free. `patience` stretches all deadlines, for clocks
    that run faster. Raises VhciTaken, NeedsRoot or NoVhci if that cannot begin; later troubles
    are told, and are one module's.
    """
    keeper = _Keeper(server, vhci, tell, patience)
    sides = [side for berth in berths for side in (berth.pair.high, berth.pair.super)]
    for side in sides:
        await keeper.free(side, START_S)
    try:
        async with trio.open_nursery() as nursery:
            for berth in berths:
                nursery.start_soon(keeper.keep, berth)
            task_status.started()
    finally:
        await keeper.let_go(sides)


@dataclass(frozen=True, slots=True)
class _Keeper:
    server: UsbipServer
    vhci: Vhci
    tell: Callable[[str], None]
    patience: float

    async def keep(self, berth: Berth) -> None:
        while True:
            try:
                await self._attach_once(berth)
            except RehearsalError as trouble:
                self.tell(f"{berth.name}: {trouble}")
                await trio.sleep(CALM_S * self.patience)
            except OSError as trouble:
                self.tell(
                    f"{berth.name} could not be attached, and is tried again: {_why(trouble)}"
                )
                await trio.sleep(CALM_S * self.patience)

    async def _attach_once(self, berth: Berth) -> None:
        """One enumeration, from its arrival to its end."""
        device = await self.server.present(berth.port)
        side = berth.pair.side(device.speed)
        for either in (berth.pair.high, berth.pair.super):
            await self.free(either)
        if not self.server.shows(berth.port, device):
            return
        ours, kernels = socketpair()
        with ours, kernels:
            stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
            async with stream:
                for end in (ours, kernels):
                    end.setsockopt(SOL_SOCKET, SO_SNDBUF, _BUFFER_BYTES)
                self.vhci.attach(side, kernels.fileno(), device.id, device.speed)
                kernels.close()
                self.tell(f"{berth.name} is {device.vid:04x}:{device.pid:04x} at {side.path}")
                await self.server.hand_over(berth.port, device, stream)
        if self.server.shows(berth.port, device):
            self.tell(f"{berth.name}: the kernel let go of it; it is attached again")
            await trio.sleep(CALM_S * self.patience)

    async def free(self, side: VhciPort, timeout_s: float = FREE_S) -> None:
        """Wait until the kernel has nothing at this port. Raises VhciTaken."""
        with trio.move_on_after(timeout_s * self.patience):
            while not self.vhci.is_free(side):  # noqa: ASYNC110 - sysfs has no event for it
                await trio.sleep(LOOK_S * self.patience)
            return
        raise VhciTaken(
            f"virtual port {side.number} ({side.path}) is not free after {timeout_s:g} s"
        )

    async def let_go(self, sides: Sequence[VhciPort]) -> None:
        """All connections are closed: see the kernel take the devices away, for a while."""
        with trio.CancelScope(shield=True):
            try:
                for side in sides:
                    await self.free(side)
            except RehearsalError as trouble:
                self.tell(str(trouble))


def _why(trouble: OSError) -> str:
    said = trouble.strerror or str(trouble)
    is_full = trouble.errno in (errno.EMFILE, errno.ENFILE)
    return f"{said} (raise the limit: `ulimit -n`)" if is_full else said
