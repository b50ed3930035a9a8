"""Attaches the modules of this process's server to this machine's kernel."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from socket import SO_SNDBUF, SOL_SOCKET, socketpair

import trio

from station.sim.port import SimPort
from station.sim.usbip_server import UsbipServer
from station.sim.vhci import PortPair, Vhci
from station.sim.vhci_keep import Keeper

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
    keeper = Keeper(vhci, {berth.name: berth.pair for berth in berths}, tell, patience)
    ports = {berth.name: berth.port for berth in berths}

    async def attach_once(name: str) -> None:
        await _attach_once(keeper, server, name, ports[name])

    await keeper.begin()
    try:
        await keeper.keep(attach_once, task_status=task_status)
    finally:
        await keeper.let_go()


async def _attach_once(keeper: Keeper, server: UsbipServer, name: str, port: SimPort) -> None:
    device = await server.present(port)
    side = keeper.pairs[name].side(device.speed)
    await keeper.free_pair(name)
    if not server.shows(port, device):
        return
    ours, kernels = socketpair()
    with ours, kernels:
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        async with stream:
            for end in (ours, kernels):
                end.setsockopt(SOL_SOCKET, SO_SNDBUF, _BUFFER_BYTES)
            keeper.vhci.attach(side, kernels.fileno(), device.id, device.speed)
            kernels.close()
            keeper.tell(f"{name} is {device.vid:04x}:{device.pid:04x} at {side.path}")
            await server.hand_over(port, device, stream)
    if server.shows(port, device):
        keeper.tell(f"{name}: the kernel let go of it; it is attached again")
        await keeper.calm()
