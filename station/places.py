"""Places in the USB tree and every way in which people and programs spell them.

Two ways to name one place. The kernel's: bus and chain of hub ports, `1-1.3`; short, but bus
numbers follow the order in which controllers are found. And the controller's: where the
controller is on its own bus, and the chain below it; it means the same place after every start.

    PortPath    1-1.3   1-1.3:1.0   usb1/1-1/1-1.3   1-1-port3   /sys/bus/usb/devices/1-1.3
                /sys/devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1.3
    Location    pci-0000:00:14.0-usbv2-0:1.3   pci-0000:00:14.0-usb-0:1.3

Ref: Linux `drivers/usb/core/usb.c` (`dev_set_name`) and `hub.c` (`usb_hub_create_port_device`);
systemd `udev-builtin-path_id.c` (ID_PATH, ID_PATH_WITH_USB_REVISION).
"""

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

from station.errors import ConfigError

MAX_PORT = 255
MAX_BUS = 255
MAX_CHAIN = 7
"""A root hub and six hubs below it, more than USB allows (five)."""

MAX_LENGTH = 1024
"""A spelling longer than this is not looked at."""

_N = r"[1-9]\d{0,2}"
_CHAIN = rf"{_N}(?:\.{_N}){{0,{MAX_CHAIN - 1}}}"

_ROOT = re.compile(rf"usb(?P<bus>{_N})", re.ASCII)
_DEVICE = re.compile(rf"(?P<bus>{_N})-(?P<chain>{_CHAIN})", re.ASCII)
_INTERFACE = re.compile(rf"(?P<bus>{_N})-(?P<chain>0|{_CHAIN}):\d{{1,3}}\.\d{{1,3}}", re.ASCII)
_PORT = re.compile(rf"(?:usb(?P<root>{_N})|(?P<hub>{_N}-{_CHAIN}))-port(?P<port>{_N})", re.ASCII)
_SYSFS = re.compile(r"(?:/sys)?/devices/(?:[^/]+/)*?(?=usb\d)|/sys/bus/usb/devices/")
_LOCATION = re.compile(
    rf"(?P<controller>[a-z][a-z0-9]*-[\w.:@,+-]{{1,200}})-usb(?:v(?P<revision>[1-9]))?"
    rf"-0:(?P<chain>0|{_CHAIN})(?::\d{{1,3}}\.\d{{1,3}})?",
    re.ASCII,
)

PATH_EXAMPLES = "1-1.4, usb1/1-1/1-1.4 or /sys/bus/usb/devices/1-1.4"
LOCATION_EXAMPLES = "pci-0000:00:14.0-usbv2-0:1.4 or pci-0000:00:14.0-usb-0:1.4"


@dataclass(frozen=True, slots=True, order=True)
class PortPath:
    """Where a device sits in the USB tree: bus and chain of hub ports, as the kernel names it.

    The only identity that survives a change of mode. ``str`` and ``parse`` round-trip.
    """

    bus: int
    chain: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Any of the kernel's spellings. Raises ConfigError showing valid examples."""
        parts = _parts(text)
        places = [_place(part) for part in parts]
        if not parts or None in places:
            raise ConfigError(f"{_shown(text)} is not a USB port path such as {PATH_EXAMPLES}")
        known = [place for place in places if place is not None]
        for outer, inner in pairwise(known):
            if inner[0] != outer[0] or inner[1][: len(outer[1])] != outer[1]:
                raise ConfigError(
                    f"{_shown(text)} contradicts itself: {_named(*inner)} is not below "
                    f"{_named(*outer)}; valid are {PATH_EXAMPLES}"
                )
        bus, chain = known[-1]
        if not chain:
            raise ConfigError(
                f"{_shown(text)} is a root hub, not one of its ports; valid are {PATH_EXAMPLES}"
            )
        if bus > MAX_BUS or max(chain) > MAX_PORT or len(chain) > MAX_CHAIN:
            raise ConfigError(
                f"{_shown(text)} cannot be: buses and ports go up to {MAX_PORT}, "
                f"{MAX_CHAIN} ports deep; valid are {PATH_EXAMPLES}"
            )
        return cls(bus, chain)

    @property
    def hub(self) -> "PortPath | None":
        """The hub that this is a port of; None for a root hub."""
        return replace(self, chain=self.chain[:-1]) if len(self.chain) > 1 else None

    def __str__(self) -> str:
        return _named(self.bus, self.chain)


@dataclass(frozen=True, slots=True)
class Location:
    """A place by its controller: what `learn` writes, because it outlives a restart.

    `revision` is the USB version of the root hub, 2 or 3; None means the USB 2 port and its
    USB 3 companion. An empty `chain` is the root hub. ``str`` and ``parse`` round-trip.
    """

    controller: str
    revision: int | None
    chain: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """What udev calls ID_PATH or ID_PATH_WITH_USB_REVISION of a USB device.

        Raises ConfigError showing valid examples.
        """
        match = _LOCATION.fullmatch(text) if len(text) <= MAX_LENGTH else None
        chain = () if match is None else _chain(match["chain"])
        if match is None or (chain and max(chain) > MAX_PORT):
            raise ConfigError(
                f"{_shown(text)} is not a port below a USB controller such as {LOCATION_EXAMPLES}"
            )
        revision = match["revision"]
        return cls(match["controller"], int(revision) if revision else None, chain)

    @property
    def hub(self) -> "Location":
        """The hub that this is a port of; a root hub is its own."""
        return replace(self, chain=self.chain[:-1])

    @property
    def revisions(self) -> "tuple[Location, ...]":
        """The same place on each root hub that is meant, the likeliest first."""
        if self.revision is not None:
            return (self,)
        return tuple(replace(self, revision=revision) for revision in (2, 1, 3))

    def is_below(self, hub: "Location") -> bool:
        """Whether this is a port of that hub, or behind one."""
        return (
            self.controller == hub.controller
            and (None in (self.revision, hub.revision) or self.revision == hub.revision)
            and len(self.chain) > len(hub.chain)
            and self.chain[: len(hub.chain)] == hub.chain
        )

    def port(self, number: int) -> "Location":
        """A port of the hub that is here."""
        return replace(self, chain=(*self.chain, number))

    def __str__(self) -> str:
        usb = "usb" if self.revision is None else f"usbv{self.revision}"
        return f"{self.controller}-{usb}-0:{'.'.join(map(str, self.chain)) or '0'}"


Place = PortPath | Location


def parse_place(text: str) -> Place:
    """A port by any spelling. Raises ConfigError showing valid examples."""
    if "-usb" not in text or text.startswith("/"):
        return PortPath.parse(text)
    location = Location.parse(text)
    if not location.chain:
        raise ConfigError(
            f"{_shown(text)} is a root hub, not one of its ports; valid are {LOCATION_EXAMPLES}"
        )
    return location


def _parts(text: str) -> list[str]:
    """The names of a path that are about USB, outermost first; none if it is no such path."""
    if len(text) > MAX_LENGTH:
        return []
    head = _SYSFS.match(text)
    rest = text[head.end() :] if head else text
    return rest.removesuffix("/").split("/")


def _place(part: str) -> tuple[int, tuple[int, ...]] | None:
    """Bus and chain of one name in sysfs; an empty chain is the root hub."""
    if match := _ROOT.fullmatch(part):
        return int(match["bus"]), ()
    if match := _DEVICE.fullmatch(part) or _INTERFACE.fullmatch(part):
        return int(match["bus"]), _chain(match["chain"])
    if match := _PORT.fullmatch(part):
        if match["root"]:
            return int(match["root"]), (int(match["port"]),)
        bus, _, chain = match["hub"].partition("-")
        return int(bus), (*_chain(chain), int(match["port"]))
    return None


def _chain(text: str) -> tuple[int, ...]:
    return () if text == "0" else tuple(map(int, text.split(".")))


def _named(bus: int, chain: tuple[int, ...]) -> str:
    return f"{bus}-{'.'.join(map(str, chain))}" if chain else f"usb{bus}"


def _shown(text: str) -> str:
    return repr(text) if len(text) <= 120 else f"{text[:117]!r}..."
