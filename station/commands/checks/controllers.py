"""Host controllers: can each keep and feed what its slots will hold?"""

from collections.abc import Iterator
from dataclasses import dataclass

from station.commands.checks.finding import Finding, bad, cannot_tell, ok, warn
from station.commands.checks.ground import Ground
from station.model import PortPath, Slot
from station.transport.capacity import capacity
from station.transport.topology import Controller, Topology

MODULE_ENDPOINTS = 15
"""An EC25 in normal mode: DIAG 2, three serial ports with 3 each, network 3, endpoint zero."""

MODULE_MB_S = 4.0
USB2_MB_S = 35.0
"""What one USB 2 host controller gives to all hubs behind it, 30 to 40."""

_SIMULATED = "vhci_hcd"

_MORE = "Put a USB controller card into the machine and move hubs to it."


@dataclass(frozen=True, slots=True)
class Load:
    """What a controller has to hold when every slot has a module in normal mode."""

    slots: int
    devices: int
    endpoints: int


def controllers(ground: Ground) -> Iterator[Finding]:
    """Device and endpoint capacity, and the throughput of the slots, per controller."""
    if not ground.topology.controllers:
        yield cannot_tell("no USB controller is seen", "/sys/bus/usb", remedy="Look at `lspci`.")
    for controller in ground.topology.controllers:
        slots = [slot for slot in ground.slots if _is_on(slot, controller)]
        if slots and controller.driver != _SIMULATED:
            load = load_of(ground, controller, slots)
            yield from _capacity(controller, load, ground.topology)
            yield _throughput(controller, load)


def load_of(ground: Ground, controller: Controller, slots: list[Slot]) -> Load:
    """All slots full, and whatever else hangs there: hubs count, too."""
    ports = {port for slot in slots for port in slot.ports}
    devices = list(ground.topology.under(controller))
    others = [device for device in devices if device.path not in ports]
    largest = max((module.endpoints for module in ground.modules), default=0)
    return Load(
        slots=len(slots),
        devices=len(slots) + len(others),
        endpoints=len(slots) * max(MODULE_ENDPOINTS, largest) + sum(d.endpoints for d in others),
    )


def _is_on(slot: Slot, controller: Controller) -> bool:
    """By the port that a module in EDL is on, the first one if the slot has both."""
    ports: list[PortPath] = sorted(slot.ports)
    return bool(ports) and ports[0].bus in controller.buses


def _capacity(controller: Controller, load: Load, topology: Topology) -> Iterator[Finding]:
    """A limit that is assumed is a warning only."""
    limits = capacity(controller, topology)
    about = "about " if limits.assumed else ""
    for count, limit, noun in (
        (load.devices, limits.most_devices, "devices"),
        (load.endpoints, limits.most_endpoints, "endpoints"),
    ):
        if limit is None:
            continue
        words = f"a full tray is {count} {noun}, the controller takes {about}{limit}"
        if count > limit:
            yield (warn if limits.assumed else bad)(
                f"controller full: {words}",
                controller.name,
                why="the last modules of a tray do not enumerate (`not enough bandwidth`, NO USB)",
                remedy=f"{_MORE} Or plug fewer modules at a time.",
            )
        else:
            yield ok(words, controller.name)


def _throughput(controller: Controller, load: Load) -> Finding:
    wanted = load.slots * MODULE_MB_S
    words = f"{load.slots} slots take {wanted:g} MB/s, USB 2 gives about {USB2_MB_S:g}"
    if wanted <= USB2_MB_S:
        return ok(words, controller.name)
    needed = -int(-wanted // USB2_MB_S)
    return warn(
        f"too few controllers: {words}",
        controller.name,
        why=f"a full tray takes {wanted / USB2_MB_S:.1f} times as long",
        remedy=f"{_MORE} These slots need {needed} controllers.",
    )
