"""How much a host controller can take. Little of it can be read; what is assumed says so."""

from dataclasses import dataclass

from station.transport import sysfs
from station.transport.usb_tree import Controller, Topology

INTEL = 0x8086


@dataclass(frozen=True, slots=True)
class Capacity:
    """Devices, hubs included, and endpoints, each device's endpoint zero included.

    A limit of None is one that nobody knows. Figures that are `assumed` hold for most controllers
    of their kind; the controller's own are in registers that only drivers see.
    """

    devices: int
    most_devices: int | None
    endpoints: int
    most_endpoints: int | None
    assumed: bool

    @property
    def is_full(self) -> bool:
        """As far as the limits are known."""
        too_many = self.most_devices is not None and self.devices >= self.most_devices
        return too_many or (
            self.most_endpoints is not None and self.endpoints >= self.most_endpoints
        )


def capacity(controller: Controller, topology: Topology) -> Capacity:
    """What hangs below it now, and what may.

    xHCI has a slot for each device (HCSPARAMS1 MaxSlots: 32 or 64 are common) and, with Intel,
    96 endpoint contexts in all. vhci has what its ports can hold. USB 2 controllers have 127
    addresses a bus (USB 2.0, 4.1.1) and no limit of endpoints worth naming.
    """
    devices = tuple(topology.under(controller))
    endpoints = sum(device.endpoints for device in devices)
    most_devices, most_endpoints, assumed = _limits(controller, topology)
    return Capacity(len(devices), most_devices, endpoints, most_endpoints, assumed)


def _limits(controller: Controller, topology: Topology) -> tuple[int | None, int | None, bool]:
    driver = controller.driver or ""
    if driver == "vhci_hcd":
        roots = (h for h in topology.hubs if h.is_root and int(h.name[3:]) in controller.buses)
        return sum(root.ports for root in roots), None, False
    if driver.startswith("xhci"):
        said = sysfs.text(controller.sysfs / "vendor") or ""
        return (64, 96, True) if said == f"0x{INTEL:04x}" else (32, None, True)
    if driver.startswith(("ehci", "ohci", "uhci")):
        return 127 * len(controller.buses), None, False
    return None, None, False
