"""Who sits in which slot: scan as truth, changes as wake-ups.

A slot owns a set of port paths because a USB 3 socket is two ports; the module may be on one of
them in normal mode and on the other in EDL.
"""

import math
from collections.abc import Callable, Iterable

import trio

from station.config import Families
from station.engine.fate import HubFailure, HubWatch
from station.errors import Timeout
from station.model import DeviceInfo, Mode, Slot
from station.transport.base import Backend, Leaving

_MODULES = frozenset({Mode.RUNTIME, Mode.EDL, Mode.DLOAD, Mode.CRASHED})
_NAMED = 4

WAKE_S = 1.0
"""The longest time between two scans, whatever the backend says about changes."""


class SlotPort:
    """The occupant of one slot, and a way to wait for another. `hubs`: who was lost with it;
    `is_leaving`: whether the attempt in any slot has told this device to leave."""

    def __init__(self, slot: Slot, hubs: HubWatch, is_leaving: Leaving) -> None:
        self.slot = slot
        self.is_leaving = is_leaving
        self.meant: Callable[[DeviceInfo], bool] | None = None
        """Whether the attempt that runs has told this device to leave; None: no attempt runs, and
        people may take it out."""
        self.lost_s = -math.inf
        """When a device left last."""
        self.looked_s = trio.current_time()
        """When it was last seen who sits here."""
        self._hubs = hubs
        self._device: DeviceInfo | None = None
        self._changed = trio.Event()
        self.witness: Callable[[DeviceInfo | None], None] = lambda _: None
        """Told of every change while an attempt runs."""

    @property
    def device(self) -> DeviceInfo | None:
        return self._device

    def occupy(self, device: DeviceInfo | None) -> None:
        self.looked_s = trio.current_time()
        if device != self._device:
            self._device = device
            self.witness(device)
            self._changed.set()
            self._changed = trio.Event()

    def loss(self, device: DeviceInfo | None) -> bool | None:
        """With this occupant next: was an attempt cut off? None: nobody left, or as was meant."""
        was = self._device
        if was is None or (device is not None and device.generation == was.generation):
            return None
        self.lost_s = trio.current_time()
        if self.meant is None:
            return False
        return None if self.meant(was) else True

    def hub_failure(self, since_s: float) -> HubFailure | None:
        """The failure of its hub that ended the attempt which runs since then and fails."""
        return self._hubs.failure_of(self.slot.name, since_s, trio.current_time())

    def has_hub_failed(self, since_s: float) -> bool:
        """The same, while that attempt may yet be saved."""
        return self._hubs.has_failed(self.slot.name, since_s, trio.current_time())

    async def wait(
        self, accept: Callable[[DeviceInfo | None], bool], timeout_s: float
    ) -> DeviceInfo | None:
        """The first occupant (None for empty) that is accepted. Raises Timeout."""
        with trio.move_on_after(max(0.0, timeout_s)):
            while not accept(self._device):
                await self._changed.wait()
            return self._device
        seen = "empty" if self._device is None else f"showing {self._device.usb_id}"
        raise Timeout(f"slot {self.slot.name} was {seen} for {max(0.0, timeout_s):.0f} s")


class PortBoard:
    """Keeps every slot's occupant up to date while `watch` runs."""

    def __init__(self, backend: Backend, slots: Iterable[Slot], *, hub_losses: int = 3) -> None:
        self._backend = backend
        slots = tuple(slots)
        self.hubs = HubWatch({slot.name: slot.ports for slot in slots}, hub_losses)
        self._ports = {slot.name: SlotPort(slot, self.hubs, self.is_leaving) for slot in slots}
        self._slot_of = {path: slot.name for slot in slots for path in slot.ports}
        self.strangers: tuple[DeviceInfo, ...] = ()
        """Devices on ports that belong to no slot."""
        self.scanned_s = trio.current_time()
        """When the last scan succeeded."""
        self.watched_s = self.scanned_s
        """When the last scan was tried."""

    def on_unknown_ports(self, families: Families) -> str | None:
        """The modules that no slot has, in words; they are shown and never flashed."""
        modules = [d for d in self.strangers if families.mode_of(d) in _MODULES]
        if not modules:
            return None
        more = "" if len(modules) <= _NAMED else f" and {len(modules) - _NAMED} more"
        return f"a module on {', '.join(f'{d.path} ({d.usb_id})' for d in modules[:_NAMED])}{more}"

    def __getitem__(self, slot_name: str) -> SlotPort:
        return self._ports[slot_name]

    def is_leaving(self, device: DeviceInfo) -> bool:
        """Whether the attempt in its slot has told it to leave."""
        name = self._slot_of.get(device.path)
        meant = None if name is None else self._ports[name].meant
        return meant is not None and meant(device)

    async def watch(self) -> None:
        """Follow what comes and goes, for ever. A scan that fails changes nothing: who sits
        where is then as it was, and the next scan tells."""
        while True:
            try:
                await self._backend.wait_change(WAKE_S)
                await self.refresh()
            except Exception:  # noqa: BLE001 - one odd device must not end every slot's attempt
                await trio.sleep(WAKE_S)
            self.watched_s = trio.current_time()

    async def refresh(self) -> None:
        """Scan once. Raises what `Backend.scan` raises."""
        found: dict[str, DeviceInfo] = {}
        strangers: list[DeviceInfo] = []
        for device in sorted(await self._backend.scan(), key=lambda device: device.path):
            name = self._slot_of.get(device.path)
            if name is None:
                strangers.append(device)
            else:
                found.setdefault(name, device)
        self.strangers, self.scanned_s = tuple(strangers), trio.current_time()
        losses = {name: port.loss(found.get(name)) for name, port in self._ports.items()}
        lost = {name: cut_off for name, cut_off in losses.items() if cut_off is not None}
        self.hubs.look(found.keys(), lost, self.scanned_s)
        for name, port in self._ports.items():
            port.occupy(found.get(name))
