"""A socket on a hub: its ports' switches, what the kernel makes of them, a module that boots.

Time is trio's; nothing runs by itself, everything is worked out when somebody looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from station.errors import UsbAccess, UsbError
from station.model import DeviceInfo
from station.places import PortPath
from station.transport.hub_requests import PortStatus, Switching
from station.transport.usb_tree import HubPort, Topology
from tests.mock_time import time_passes

STABLE_S = 0.1
"""How long the kernel waits until a connection, or its absence, is stable."""


@dataclass
class FakeSocket:
    """`ports`: the High-Speed one first. `module_on` is the port that its module shows up on."""

    ports: tuple[PortPath, ...]
    module_on: PortPath | None = None
    obeys: bool = True
    """The hub cuts the power; else it says so and does not."""
    tells: bool = True
    """The hub reports the departure; else it is known only to those who ask."""
    kernel_meddles: bool = False
    """The kernel switches a port on again that lost its device."""
    can_hold: bool = True
    """There is a `disable` that may be written."""
    switching: Switching = Switching.INDIVIDUAL
    returns: bool = True
    over_current: bool = False
    follows: "FakeSocket | None" = None
    """Loses its power with the other one, and has it again when that has."""
    follows_s: float = float("inf")
    """Or so much later already."""
    hangs: str = ""
    """What is logged so never ends."""
    boot_s: float = 12.0
    log: list[tuple[float, str]] = field(default_factory=list)
    fails: dict[str, UsbError] = field(default_factory=dict)
    """By what is logged, e.g. `cut 1-1.3`."""

    def __post_init__(self) -> None:
        self.powered = dict.fromkeys(self.ports, True)
        self.held = dict.fromkeys(self.ports, False)
        self.generation = 1
        self.lit_s: float | None = float("-inf")
        self.dark_s = float("-inf")
        self.glimpses_s: list[float] = []
        """How long the module had power each time while it was to have none."""
        self._meddle_s: float | None = None

    # --- the switches -------------------------------------------------------------------------

    def note(self, what: str) -> None:
        self.log.append((trio.current_time(), what))
        if what in self.fails:
            raise self.fails[what]

    def power(self, path: PortPath, *, on: bool) -> None:
        self.settle()
        was_lit = self._lit()
        self.powered[path] = on
        self._changed(was_lit, trio.current_time())

    def settle(self) -> None:
        """What the kernel has done since somebody last looked."""
        now_s = trio.current_time()
        if self._meddle_s is not None and self._meddle_s <= now_s:
            at_s, self._meddle_s = self._meddle_s, None
            was_lit = self._lit()
            for path in self.ports:
                self.powered[path] = self.powered[path] or not self.held[path]
            self._changed(was_lit, at_s)

    def _lit(self) -> bool:
        return not self.obeys or any(self.powered.values())

    def _changed(self, was_lit: bool, at_s: float) -> None:
        if was_lit and not self._lit():
            assert self.lit_s is not None
            was_connected = at_s - self.lit_s >= self.boot_s
            if self.lit_s > float("-inf") and self.lit_s < at_s:
                self.glimpses_s.append(at_s - self.lit_s)
            self.lit_s = None
            self.dark_s = at_s
            if self.kernel_meddles and self.tells and was_connected:
                self._meddle_s = at_s + STABLE_S
        elif self._lit() and not was_lit:
            self.lit_s = at_s
            self.generation += 1

    def status(self, path: PortPath) -> PortStatus:
        self.settle()
        connected = self._lit() and path == self.module_on and self._is_up()
        return PortStatus(connected, self.over_current, self.powered[path])

    # --- the bus ------------------------------------------------------------------------------

    def device(self) -> DeviceInfo | None:
        self.settle()
        if self.module_on is None or self._is_dragged():
            return None
        told = self.tells or self.held[self.module_on]
        if self._is_up() or (self.generation == 1 and not told):
            return DeviceInfo(self.module_on, 0x2C7C, 0x0125, (), self.generation)
        return None

    def _is_dragged(self) -> bool:
        if self.follows is None or self.follows._lit():
            return False
        return trio.current_time() - self.follows.dark_s < self.follows_s

    def _is_up(self) -> bool:
        if self.lit_s is None or (self.generation > 1 and not self.returns):
            return False
        return trio.current_time() - self.lit_s >= self.boot_s


class FakeSwitch:
    """A `station.transport.power.PortSwitch` on a fake socket."""

    def __init__(self, socket: FakeSocket, path: PortPath) -> None:
        self._socket = socket
        self._path = path

    async def switching(self) -> Switching:
        await trio.lowlevel.checkpoint()
        return self._socket.switching

    async def status(self) -> PortStatus:
        await trio.lowlevel.checkpoint()
        return self._socket.status(self._path)

    async def cut(self) -> None:
        await trio.lowlevel.checkpoint()
        self._socket.note(f"cut {self._path}")
        self._socket.power(self._path, on=False)

    async def hold(self) -> bool:
        await trio.lowlevel.checkpoint()
        self._socket.note(f"hold {self._path}")
        if self._socket.can_hold:
            self._socket.held[self._path] = True
            self._socket.power(self._path, on=False)
        return self._socket.can_hold

    async def restore(self) -> None:
        await trio.lowlevel.checkpoint()
        self._socket.note(f"restore {self._path}")
        if self._socket.hangs == f"restore {self._path}":
            await trio.sleep_forever()
        self._socket.held[self._path] = False
        self._socket.power(self._path, on=True)

    async def aclose(self) -> None:
        self._socket.note(f"close {self._path}")
        await trio.lowlevel.cancel_shielded_checkpoint()


class FakeBus:
    """The part of a Backend that power needs, over fake sockets, and who opens their ports."""

    def __init__(self, *sockets: FakeSocket, denied: bool = False) -> None:
        self._sockets = sockets
        self._denied = denied

    async def scan(self) -> tuple[DeviceInfo, ...]:
        await trio.lowlevel.checkpoint()
        found: Sequence[DeviceInfo | None] = [socket.device() for socket in self._sockets]
        return tuple(device for device in found if device is not None)

    async def wait_change(self, timeout_s: float) -> None:
        await time_passes(timeout_s)

    async def open_switch(self, tree: Topology, port: HubPort) -> FakeSwitch:
        await trio.lowlevel.checkpoint()
        if self._denied:
            raise UsbAccess(f"open hub {port.hub}: the operating system denies access")
        socket = next(one for one in self._sockets if port.path in one.ports)
        return FakeSwitch(socket, port.path)
