"""Take the power of a slot away for a moment, and say what was seen of it.

A hub's word that a port is off proves nothing: many hubs say so and leave the power on. What
counts is the disconnect: the device leaves the bus, or the hub no longer has anything connected
there (some hubs report a cut port only when asked). A socket with USB 3 is two ports, and its
power goes only when both are off.

Ref: USB 2.0 11.11 (power control), 11.24.2.7.1 (port status); uhubctl, README (FAQ).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import trio

from station.errors import UsbAccess, UsbBroken, UsbError
from station.model import DeviceInfo
from station.places import PortPath
from station.transport.base import RETURN_S, Backend, Leaving, PowerProof, Switched, nobody
from station.transport.hub_requests import PortStatus, Switching
from station.transport.neighbours import Neighbours, Place
from station.transport.socket_ports import NotSwitchable, ports_of_socket
from station.transport.usb_tree import HubPort, Topology

LEAVE_S = 5.0
"""A device whose power is gone is gone at once; the kernel may take a moment to say so."""
RESTORE_S = 10.0
"""For switching one port on again, cancelled or not; then its thread is left at it."""
LOOK_S = 0.05
"""How often the hub is asked; the kernel does not wake anybody for what only the hub knows."""
AGAIN_S = 0.05
"""Where nothing keeps the kernel from switching the port on, it is switched off so often: less
than the 100 ms for which a new connection must be stable (USB 2.0 7.1.7.3)."""


class PortSwitch(Protocol):
    """One port of a hub."""

    async def switching(self) -> Switching: ...

    async def status(self) -> PortStatus: ...

    async def cut(self) -> None:
        """Ask the hub to switch the port off. Whether it does is another matter."""
        ...

    async def hold(self) -> bool:
        """Keep the kernel from switching it on. False: it will not be kept; cut it again."""
        ...

    async def restore(self) -> None:
        """Switch the port on."""
        ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Socket:
    """What is switched together, SuperSpeed first, and who was there before."""

    switches: tuple[PortSwitch, ...]
    paths: tuple[PortPath, ...]

    def at(self, path: PortPath) -> PortSwitch:
        return self.switches[self.paths.index(path)]


class PortPower:
    """A `station.transport.base.Power` on a tree of hubs.

    `look` reads the tree; `open_switch` opens a port of it and raises UsbAccess, Disconnected.
    """

    def __init__(
        self,
        backend: Backend,
        look: Callable[[], Awaitable[Topology]],
        open_switch: Callable[[Topology, HubPort], Awaitable[PortSwitch]],
        *,
        return_s: float = RETURN_S,
    ) -> None:
        self._backend = backend
        self._look = look
        self._open_switch = open_switch
        self._return_s = return_s

    async def cycle(
        self,
        ports: Collection[PortPath],
        *,
        off_s: float,
        blind: bool = False,
        is_leaving: Leaving = nobody,
    ) -> PowerProof:
        tree = await self._look()
        try:
            sides = ports_of_socket(tree, ports)
            async with self._open(tree, sides) as socket:
                await _check_switching(sides, socket.switches)
                device = await self._occupant(socket)
                if device is None and await _was_left_off(socket):
                    device = await self._wake(socket)
                if device is None and not blind:
                    return PowerProof(Switched.EMPTY, "nothing is plugged in")
                others = Neighbours(await self._others(socket), is_leaving if blind else None)
                if device is None:
                    return await self._cycle_blindly(socket, others, off_s)
                return await self._cycle(socket, device, others, off_s)
        except NotSwitchable as refusal:
            return PowerProof(Switched.NOT_SWITCHABLE, refusal.why)
        except UsbAccess as error:
            return PowerProof(Switched.NO_ACCESS, error.cause)

    @asynccontextmanager
    async def _open(self, tree: Topology, sides: Sequence[HubPort]) -> AsyncIterator[_Socket]:
        async with AsyncExitStack() as opened:
            switches = []
            for port in sides:
                switch = await self._open_switch(tree, port)
                opened.push_async_callback(switch.aclose)
                switches.append(switch)
            yield _Socket(tuple(switches), tuple(port.path for port in sides))

    async def _cycle(
        self, socket: _Socket, device: DeviceInfo, others: Neighbours, off_s: float
    ) -> PowerProof:
        left_s = await self._cut(socket, device, others, off_s)
        if others.dragged:
            return PowerProof(Switched.CUTS_OTHERS, others.words, left_s)
        if left_s is None:
            return PowerProof(
                Switched.PRETENDS, f"{device.usb_id} on {device.path} stayed where it was"
            )
        on_s, spares = trio.current_time(), others.are_spared
        if await self._returned(socket, device):
            back_s = trio.current_time() - on_s
            return PowerProof(Switched.SWITCHES, "", left_s, back_s, spares)
        why = await self._absence(socket, device)
        return PowerProof(Switched.NO_RETURN, why, left_s, spares_others=spares)

    async def _cycle_blindly(self, socket: _Socket, others: Neighbours, off_s: float) -> PowerProof:
        """Nobody is there to be seen leaving; a module that returns is proof enough."""
        await self._cut(socket, None, others, off_s)
        if others.dragged:
            return PowerProof(Switched.CUTS_OTHERS, others.words)
        on_s, spares = trio.current_time(), others.are_spared
        with trio.move_on_after(self._return_s):
            while await self._occupant(socket) is None:
                await self._backend.wait_change(LOOK_S)
            back_s = trio.current_time() - on_s
            return PowerProof(Switched.SWITCHES, "", None, back_s, spares)
        why = f"nothing showed itself within {self._return_s:g} s"
        return PowerProof(Switched.NO_RETURN, why, spares_others=spares)

    async def _cut(
        self, socket: _Socket, device: DeviceInfo | None, others: Neighbours, off_s: float
    ) -> float | None:
        """Off and on again: when the device left. The others are looked for while it is off: they
        come back."""

        async def drags() -> bool:
            others.look(await self._others(socket))
            return bool(others.dragged)

        asked_s, left_s = trio.current_time(), None
        try:
            for switch in reversed(socket.switches):
                await switch.cut()
            if device is not None and await self._left(socket, device):
                left_s = trio.current_time() - asked_s
            if device is None or left_s is not None:
                await _stay_off(socket, off_s, drags)
        finally:
            await _restore(socket)
        return left_s

    async def _left(self, socket: _Socket, device: DeviceInfo) -> bool:
        with trio.move_on_after(LEAVE_S):
            while True:
                now = await self._occupant(socket)
                if now is None or now.generation != device.generation:
                    return True
                if not (await socket.at(device.path).status()).connected:
                    return True
                await self._backend.wait_change(LOOK_S)
        return False

    async def _returned(self, socket: _Socket, device: DeviceInfo) -> bool:
        """A new generation; or the old one, where nobody told the kernel that it had left."""
        with trio.move_on_after(self._return_s):
            while True:
                now = await self._occupant(socket)
                if now is not None and (
                    now.generation != device.generation
                    or (await socket.at(now.path).status()).connected
                ):
                    return True
                await self._backend.wait_change(LOOK_S)
        return False

    async def _wake(self, socket: _Socket) -> DeviceInfo | None:
        """Whoever is there when a port that was left off is on again."""
        await _restore(socket)
        with trio.move_on_after(self._return_s):
            while (device := await self._occupant(socket)) is None:
                await self._backend.wait_change(LOOK_S)
            return device
        return None

    async def _absence(self, socket: _Socket, device: DeviceInfo) -> str:
        statuses = [await switch.status() for switch in socket.switches]
        if any(status.over_current for status in statuses):
            return "the hub reports over-current: the module takes more than the port gives"
        if any(status.connected for status in statuses):
            return "the hub has it connected, but it does not enumerate"
        return f"{device.usb_id} did not come back within {self._return_s:g} s of power on"

    async def _others(self, socket: _Socket) -> dict[Place, DeviceInfo]:
        """What else sits on the same hubs."""
        hubs = {(path.bus, path.hub) for path in socket.paths}
        return {
            (device.path, device.generation): device
            for device in await self._backend.scan()
            if device.path not in socket.paths and (device.path.bus, device.path.hub) in hubs
        }

    async def _occupant(self, socket: _Socket) -> DeviceInfo | None:
        devices = await self._backend.scan()
        return next((device for device in devices if device.path in socket.paths), None)


async def _check_switching(sides: Sequence[HubPort], switches: Sequence[PortSwitch]) -> None:
    """Raises NotSwitchable for a hub that switches all its ports together, or none."""
    for port, switch in zip(sides, switches, strict=True):
        match await switch.switching():
            case Switching.NONE:
                raise NotSwitchable(f"hub {port.hub} has no power switches")
            case Switching.GANGED:
                raise NotSwitchable(
                    f"hub {port.hub} switches all its ports together; "
                    "the modules beside would lose their power too"
                )
            case Switching.INDIVIDUAL:
                pass


async def _was_left_off(socket: _Socket) -> bool:
    return any([not (await switch.status()).powered for switch in socket.switches])


async def _stay_off(
    socket: _Socket, off_s: float, is_enough: Callable[[], Awaitable[bool]]
) -> None:
    """For `off_s`, or until it `is_enough`: whoever lost their power, too, get it back at once."""
    ends_s = trio.current_time() + off_s
    loose = [switch for switch in socket.switches if not await switch.hold()]
    while not await is_enough() and (left_s := ends_s - trio.current_time()) > 0:
        for switch in loose:
            await switch.cut()
        await trio.sleep(min(left_s, AGAIN_S))


async def _restore(socket: _Socket) -> None:
    """On again, each port whatever became of the others; SuperSpeed first, so that a module
    does not settle for High-Speed. Raises UsbError for a port that may still be off."""
    failure: UsbError | None = None
    for path, switch in zip(socket.paths, socket.switches, strict=True):
        with trio.move_on_after(RESTORE_S, shield=True) as scope:
            try:
                await switch.restore()
            except UsbError as error:
                failure = type(error)(f"{error.cause}; {_dark(path)}")
        if scope.cancelled_caught:
            late = "; it comes on late if the hub answers yet"
            failure = UsbBroken(
                f"the hub did not answer within {RESTORE_S:g} s; {_dark(path)}{late}"
            )
    if failure is not None:
        raise failure


def _dark(path: PortPath) -> str:
    return f"port {path} may be without power: unplug its hub and plug it in again"
