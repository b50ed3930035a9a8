"""USB devices that the kernel puts to sleep when nobody uses them."""

from collections.abc import Iterator

from station.commands.checks.finding import Finding, ok, warn
from station.commands.checks.ground import Ground
from station.transport import sysfs

_DELAY = "sys/module/usbcore/parameters/autosuspend"


def sleep(ground: Ground) -> Iterator[Finding]:
    """Hubs and modules stay awake. Ref: Linux Documentation/driver-api/usb/power-management."""
    delay = sysfs.text(ground.root / _DELAY)
    if delay is not None and delay.startswith("-"):
        yield ok("the kernel lets no USB device sleep", "usbcore.autosuspend")
        return
    places = {hub.name: hub.sysfs for hub in ground.topology.hubs}
    places |= {str(module.path): module.sysfs for module in ground.modules}
    drowsy = [n for n, place in places.items() if sysfs.text(place / "power/control") == "auto"]
    if drowsy:
        yield warn(
            f"{len(drowsy)} hubs or modules may be put to sleep",
            ", ".join(drowsy),
            why="a hub that sleeps may lose the module that comes back from a reset",
            remedy="Install the udev rule, or: echo on | sudo tee "
            + " ".join(f"/sys/bus/usb/devices/{name}/power/control" for name in drowsy),
        )
    else:
        yield ok(f"{len(places)} hubs and modules stay awake", "power/control")
