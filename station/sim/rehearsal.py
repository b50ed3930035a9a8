"""A tray of simulated modules that the kernel sees, and what a person can do to it.

Plug, unplug, power, and look into a module's flash: what a rehearsal needs to ask beside what USB
shows. Modules that were pulled out keep their flash; a fault makes a fresh module.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import trio

from station.errors import DiskTrouble, NotNow, UsageError
from station.model import PortPath
from station.sim.factory import Factory
from station.sim.faults import Traits, fault_named
from station.sim.layouts import Layout, Part
from station.sim.module import SimModule
from station.sim.nand import Nand
from station.sim.odd import ODDITIES
from station.sim.port import Module, SimPort
from station.sim.timing import Timing
from station.sim.usbip_server import UsbipServer


@dataclass(slots=True)
class _Place:
    """A slot: the module that lies in it or beside it, and whether its socket has power."""

    port: SimPort
    module: Module
    is_plugged: bool = False
    has_power: bool = True

    @property
    def is_on(self) -> bool:
        return self.is_plugged and self.has_power


@dataclass(frozen=True, slots=True)
class Content:
    """What a partition holds: its programmed pages in order, bad blocks skipped."""

    name: str
    start_sector: int
    length_bytes: int
    sha256: str


class Rehearsal:
    """Slots by name, each with a module. Nothing is plugged in yet: `fill`."""

    def __init__(
        self,
        server: UsbipServer,
        ports: Mapping[str, SimPort],
        factory: Factory,
        *,
        faults: Mapping[str, str] | None = None,
        timing: Timing = Timing(),  # noqa: B008 - frozen
        tolerant: bool = False,
    ) -> None:
        self._server = server
        self._factory = factory
        self._timing = timing
        self._tolerant = tolerant
        chosen = faults or {}
        if strangers := chosen.keys() - ports.keys():
            raise UsageError(f"a fault is given for {min(strangers)}, which is no slot")
        self._places = {
            name: _Place(port, self._fresh(chosen.get(name))) for name, port in ports.items()
        }

    def fill(self) -> None:
        """Plug every module in."""
        for name in self._places:
            self.plug(name)

    # --- hands --------------------------------------------------------------------------------

    def plug(self, slot: str, fault: str | None = None) -> None:
        """Put the module back, with a fault a fresh one that has it. Raises NotNow, UsageError,
        ConfigError."""
        place = self._place(slot)
        if place.is_plugged:
            raise NotNow(f"a module is in slot {slot} already; unplug it first")
        if fault is not None:
            place.module = self._fresh(fault)
        place.is_plugged = True
        self._show(place)

    def unplug(self, slot: str) -> None:
        """Pull the module out. Raises NotNow, UsageError."""
        place = self._place(slot)
        if not place.is_plugged:
            raise NotNow(f"there is no module in slot {slot}")
        place.is_plugged = False
        self._show(place)

    def power(self, slot: str, to: str) -> None:
        """`off`, `on`, or `cycle`: the module starts anew from its flash. Raises UsageError."""
        place = self._place(slot)
        if to not in ("off", "on", "cycle"):
            raise UsageError(f"power can be off, on or cycle, not {to!r}")
        was_on = place.is_on
        if to == "cycle":
            place.has_power = False
            self._show(place)
        place.has_power = to != "off"
        if to == "cycle" or place.is_on != was_on:
            self._show(place)

    def _show(self, place: _Place) -> None:
        if place.is_on:
            self._server.plug(place.port, place.module)
        else:
            self._server.unplug(place.port)

    def _place(self, slot: str) -> _Place:
        place = self._places.get(slot)
        if place is None:
            raise UsageError(f"there is no slot {slot!r}; there are {', '.join(self._places)}")
        return place

    def _fresh(self, fault: str | None) -> Module:
        if fault is not None and (oddity := ODDITIES.get(fault)) is not None:
            return oddity.make()
        return self._factory.make(
            traits=Traits() if fault is None else fault_named(fault).traits,
            timing=self._timing,
            tolerant=self._tolerant,
            log_out=False,
        )

    # --- eyes ---------------------------------------------------------------------------------

    def status(self) -> list[dict[str, object]]:
        """Each slot: what is in it, and what a host sees there now."""
        return [self._status(name, place) for name, place in self._places.items()]

    def _status(self, name: str, place: _Place) -> dict[str, object]:
        device = place.port.device(trio.current_time())
        module = place.module
        return {
            "slot": name,
            "plugged": place.is_plugged,
            "power": place.has_power,
            "device": None if device is None else device.usb_id,
            "enumerations": place.port.generation,
            "mode": module.mode if isinstance(module, SimModule) else "other",
            "imei": module.identity.imei if isinstance(module, SimModule) else None,
            "chip_serial": module.identity.chip_serial if isinstance(module, SimModule) else None,
            "flashed": isinstance(module, SimModule) and module.flashed,
        }

    def breaches(self, slot: str) -> list[dict[str, str]]:
        """What the module's referee wrote down: where, and which rule was broken."""
        found = self._module(slot).breaches
        return [{"where": breach.where, "what": breach.what} for breach in found]

    def calibration(self, slot: str) -> bool:
        """The calibration is the one the module was made with, where it was."""
        module = self._module(slot)
        return all(
            module.calibration.get(part.name)
            == module.nand.fingerprint(part.start_block, part.num_blocks)
            for part in module.layout.calibration
        )

    def dump(self, slot: str, folder: Path | None = None) -> list[Content]:
        """What the flash holds, partition by partition; with `folder`, which must not be there
        yet, the bytes too as NAME.bin. Takes its time: for a thread. Raises DiskTrouble."""
        module = self._module(slot)
        try:
            if folder is not None:
                folder.mkdir(mode=0o755)
            return [_content(module.nand, module.layout, part, folder)
                    for part in module.layout.parts]  # fmt: skip
        except OSError as error:
            raise DiskTrouble(f"{folder} cannot be written: {error.strerror}") from error

    def _module(self, slot: str) -> SimModule:
        module = self._place(slot).module
        if not isinstance(module, SimModule):
            raise UsageError(f"what is in slot {slot} is no module and has no flash")
        return module


def _content(nand: Nand, layout: Layout, part: Part, folder: Path | None) -> Content:
    last_block = part.start_block + part.num_blocks
    first, end = layout.start_sector(part), last_block * layout.pages_per_block
    pages = [
        nand.read(page)
        for page in nand.region(first, layout.num_sectors(part))
        if page < end and not nand.is_erased(page)
    ]
    data = b"".join(pages)
    if folder is not None:
        (folder / f"{part.name}.bin").write_bytes(data)
    return Content(part.name, first, len(data), sha256(data).hexdigest())


def ports_for(names: Sequence[str]) -> dict[str, SimPort]:
    """A port for each slot, with a companion; the bus id of the first is 1-1, of the next 1-2."""
    return {
        name: SimPort(PortPath(1, (place,)), PortPath(2, (place,)))
        for place, name in enumerate(names, start=1)
    }
