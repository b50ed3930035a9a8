"""families.yaml: what a USB id means, and the quirks of the modules behind it.

USB ids are text, `2c7c:0125`; a pattern ends in `*`: `2c7c:6*`. An exact id wins over a
pattern. What the table does not say about interfaces is read from the descriptors.

Ref: ModemManager 77-mm-quectel-port-types.rules; QFirehose qfirehose.c; descriptors of
RM500Q (DIAG ff/ff/30 with 2 endpoints; NMEA, AT, modem ff/00/00 with 3; QMI ff/ff/ff with 3).
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from station.config.strict import Strict, Text, read_model
from station.config.yaml_lines import Document, Where, key_text, read_document, refuse
from station.model import DeviceInfo, Interface, Mode
from station.protocols.firehose import Profile

_PACKAGE = Path(__file__).parent.parent
_SHIPPED = (_PACKAGE / "_config/families.yaml", _PACKAGE.parent / "config/families.yaml")
"""Inside a wheel; in a checkout."""

_USB_ID = re.compile(r"[0-9a-f]{4}:([0-9a-f]{4}|[0-9a-f]{0,3}\*)")

INTERFACE_MAX = 31


def _usb_id(text: str) -> str:
    if _USB_ID.fullmatch(text) is None:
        raise ValueError('a USB id is written "2c7c:0125" in lower case, a pattern "2c7c:6*"')
    return text


def _exact_id(text: str) -> str:
    if _usb_id(text).endswith("*"):
        raise ValueError("a module of a family needs its whole USB id")
    return text


def _payload(size_bytes: int) -> int:
    if size_bytes % 512:
        raise ValueError("must be a multiple of 512")
    return size_bytes


UsbId = Annotated[str, AfterValidator(_exact_id)]
UsbPattern = Annotated[str, AfterValidator(_usb_id)]
InterfaceNumber = Annotated[int, Field(ge=0, le=INTERFACE_MAX)]


class InterfaceSection(Strict):
    """Interface numbers in normal mode; what is left out is read from the descriptors."""

    diag: InterfaceNumber | None = None
    at: InterfaceNumber | None = None


class FirehoseSection(Strict):
    """`zlp`: end full transfers with an empty packet and say so. `payload_bytes`: first asked."""

    zlp: bool = True
    payload_bytes: Annotated[int, Field(ge=512, le=1 << 20), AfterValidator(_payload)] = 8192


class FamilySection(Strict):
    """Modules that are treated alike. `alone`: what one single interface on their id means."""

    title: Text
    usb: Annotated[tuple[UsbId, ...], Field(min_length=1)]
    alone: Literal["dload", "crashed", "unknown"] = "unknown"
    interfaces: InterfaceSection = InterfaceSection()
    exceptions: dict[UsbId, InterfaceSection] = Field(default_factory=dict)
    firehose: FirehoseSection = FirehoseSection()
    chip_identity: bool = True
    """Ask the boot ROM for its serial before the programmer is loaded."""
    module_backup: bool = False
    """Its modules are known to back their calibration up by `AT+QPRTPARA=1` without harm."""


class DeviceSection(Strict):
    """Ids that are no module in normal mode, and what they are."""

    usb: Annotated[tuple[UsbPattern, ...], Field(min_length=1)]
    mode: Literal["edl", "crashed", "dload", "foreign", "unknown"]
    what: Text


class FamiliesFile(Strict):
    """The file as written."""

    families: Annotated[dict[str, FamilySection], Field(min_length=1)]
    devices: tuple[DeviceSection, ...]
    edl_default: str
    """The family whose quirks are used in EDL, where the USB id does not tell."""


@dataclass(frozen=True, slots=True)
class Family:
    """How to speak with the modules of a family; interface numbers are those of one device."""

    name: str
    title: str
    diag_interface: int
    at_interface: int
    firehose: Profile
    chip_identity: bool
    module_backup: bool


@dataclass(frozen=True, slots=True)
class Families:
    """The table, ready for questions about devices."""

    file: FamiliesFile

    def mode_of(self, device: DeviceInfo) -> Mode:
        """What this device can do for us, by its id and the number of its interfaces."""
        named = self._section_of(device.usb_id)
        if named is not None:
            if len(device.interfaces) == 1:
                return Mode(named[1].alone)
            return Mode.RUNTIME if device.interfaces else Mode.UNKNOWN
        found = self._device_of(device.usb_id)
        if found is None:
            return Mode.UNKNOWN
        if found.mode == "edl" and not _looks_like_edl(device):
            return Mode.UNKNOWN
        return Mode(found.mode)

    def family_of(self, device: DeviceInfo) -> Family | None:
        """The family of a device by its USB id, with the interface numbers of this device.

        None in EDL and for strangers: there the id does not tell the family.
        """
        named = self._section_of(device.usb_id)
        if named is None:
            return None
        name, section = named
        ports = section.exceptions.get(device.usb_id, section.interfaces)
        diag = _diag_interface(device, ports.diag)
        return _family(name, section, diag, _at_interface(device, ports.at, diag))

    def is_module(self, usb_id: str) -> bool:
        """Whether an id is one that the station works with: of a family, or what such a module
        shows in download mode or after a crash."""
        if self._section_of(usb_id) is not None:
            return True
        found = self._device_of(usb_id)
        return found is not None and found.mode in ("edl", "dload", "crashed")

    def what_is(self, device: DeviceInfo) -> str:
        """The device in words, for messages: `2c7c:6005, a Quectel module on an ASR chip`."""
        named = self._section_of(device.usb_id)
        if named is not None:
            return f"{device.usb_id}, {named[1].title}"
        found = self._device_of(device.usb_id)
        return f"{device.usb_id}, {found.what if found else 'unknown to this station'}"

    @property
    def edl_default(self) -> Family:
        """The family assumed in EDL when nothing else is known of the module."""
        return self.edl_profile(None)

    def edl_profile(self, name: str | None) -> Family:
        """The quirks to use in EDL for a family by name; the default for None or strangers."""
        if name is None or name not in self.file.families:
            name = self.file.edl_default
        section = self.file.families[name]
        ports = section.interfaces
        diag = 0 if ports.diag is None else ports.diag
        return _family(name, section, diag, diag + 2 if ports.at is None else ports.at)

    def _section_of(self, usb_id: str) -> tuple[str, FamilySection] | None:
        for name, section in self.file.families.items():
            if usb_id in section.usb:
                return name, section
        return None

    def _device_of(self, usb_id: str) -> DeviceSection | None:
        """Exact ids first, then the longest pattern."""
        best: tuple[int, DeviceSection] | None = None
        for section in self.file.devices:
            for pattern in section.usb:
                fits = usb_id.startswith(pattern[:-1]) if pattern[-1] == "*" else usb_id == pattern
                weight = len(pattern) + (pattern[-1] != "*")
                if fits and (best is None or weight > best[0]):
                    best = (weight, section)
        return None if best is None else best[1]


def _family(name: str, section: FamilySection, diag: int, at: int) -> Family:
    firehose = Profile(zlp=section.firehose.zlp, payload_bytes=section.firehose.payload_bytes)
    return Family(
        name, section.title, diag, at, firehose, section.chip_identity, section.module_backup
    )


# --- what descriptors tell --------------------------------------------------------------------


def _looks_like_edl(device: DeviceInfo) -> bool:
    """One interface with a bulk endpoint each way; the boot ROM never shows more."""
    return len(device.interfaces) == 1 and _is_pipe(device.interfaces[0])


def _is_pipe(interface: Interface) -> bool:
    return interface.bulk_in is not None and interface.bulk_out is not None


def _is_vendor_port(interface: Interface) -> bool:
    return interface.usb_class == 0xFF and _is_pipe(interface)


def _diag_interface(device: DeviceInfo, table: int | None) -> int:
    """The table's, if the device has it; else the first ff/ff/30 with 2 endpoints; else 0."""
    ports = [i for i in device.interfaces if _is_vendor_port(i)]
    if table is not None and (not ports or any(i.number == table for i in ports)):
        return table
    for port in ports:
        triple = (port.usb_class, port.usb_subclass, port.usb_protocol)
        if triple == (0xFF, 0xFF, 0x30) and len(port.endpoints) == 2:
            return port.number
    return next((i.number for i in ports if len(i.endpoints) == 2), 0 if table is None else table)


def _at_interface(device: DeviceInfo, table: int | None, diag: int) -> int:
    """The table's, if the device has it; else the second ff/00/00 with 3 endpoints (the first is
    NMEA), else the only one; else two after DIAG, where every known layout has it."""
    ports = [i for i in device.interfaces if _is_vendor_port(i)]
    if table is not None and (not ports or any(i.number == table for i in ports)):
        return table
    alike = [
        i.number
        for i in ports
        if (i.usb_subclass, i.usb_protocol) == (0, 0) and len(i.endpoints) == 3
    ]
    if alike:
        return alike[min(1, len(alike) - 1)]
    return diag + 2


# --- reading ----------------------------------------------------------------------------------


def load_families(path: Path | None = None) -> Families:
    """Read a families.yaml, by default the one that comes with the station. Raises ConfigError."""
    if path is None:
        path = next((place for place in _SHIPPED if place.is_file()), _SHIPPED[-1])
    document = read_document(path)
    read = read_model(document, FamiliesFile)
    problems = _check(document, read)
    if problems:
        raise refuse(problems)
    return Families(read)


def _check(document: Document, read: FamiliesFile) -> list[str]:
    """An id means one thing; an exception is about an id of its family; the default exists."""
    problems = []
    groups: list[tuple[Where, tuple[str, ...]]] = [
        *((("families", name), section.usb) for name, section in read.families.items()),
        *((("devices", index), section.usb) for index, section in enumerate(read.devices)),
    ]
    owner: dict[str, Where] = {}
    for group, ids in groups:
        for place, usb_id in enumerate(ids):
            if usb_id in owner:
                what = f"{usb_id} is in {key_text(owner[usb_id])} already"
                problems.append(document.problem((*group, "usb", place), what))
            owner.setdefault(usb_id, group)
    for name, section in read.families.items():
        for usb_id in section.exceptions:
            if usb_id not in section.usb:
                where = ("families", name, "exceptions", usb_id)
                problems.append(document.problem(where, "is not a USB id of this family"))
    if read.edl_default not in read.families:
        what = f"there is no family {read.edl_default[:64]!r}"
        problems.append(document.problem(("edl_default",), what))
    return problems
