"""The descriptors of a simulated module, byte for byte those of the real one where known.

A configuration is its head, then for each interface: interface, class-specific, endpoints, and at
SuperSpeed a companion behind each endpoint. All little endian.

Ref: USB 2.0 9.6, USB 3.2 9.6; EC25-AU in EDL as fwupd recorded it; EC25 and RM500Q in normal mode
as in the kernel commits that taught `option` and `qmi_wwan` their ids.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from station.model import Endpoint, Interface
from station.sim.faces import QUALCOMM
from station.sim.port import Face

CONFIGURATION = 1
"""bConfigurationValue of the only configuration."""


class Kind(IntEnum):
    """bDescriptorType."""

    DEVICE = 1
    CONFIGURATION = 2
    STRING = 3
    INTERFACE = 4
    ENDPOINT = 5
    DEVICE_QUALIFIER = 6
    BOS = 15
    COMPANION = 48


_MANUFACTURER, _PRODUCT, _CONFIGURATION_NAME = 1, 2, 4
"""String indices. 3 would be a serial number, which a face does not have."""

_US_ENGLISH = 0x0409
_MAX_STRING_CHARS = 126
_VENDOR = 0xFF
_INTERRUPT = 3
_INTERRUPT_INTERVAL = 9
"""2^(9-1) microframes: 32 ms."""

_SERIAL_PORT = bytes.fromhex("05240010010524010000042402020524060000")
"""CDC header, call management, ACM and union: NMEA, AT and modem carry them though they are
vendor-specific."""

_BOS = bytes.fromhex(
    "050f2a0003"
    "07100206000000"  # USB 2.0 extension: link power management
    "0a1003000f000101f401"  # SuperSpeed, 1 us and 500 us to leave U1 and U2
    "14100a00010000000011000030400a00b0400a00"  # SuperSpeedPlus
)


@dataclass(frozen=True, slots=True)
class Dress:
    """What a device says of itself beside its interfaces; `power` in the unit of its speed."""

    usb: int
    device_class: tuple[int, int, int]
    control_packet: int
    version: int
    attributes: int
    power: int
    manufacturer: str
    configuration_name: str | None = None


_BOOT_ROM = Dress(0x0200, (0, 0, 0), 64, 0, 0x80, 1, "Qualcomm CDMA Technologies MSM")
_HIGH_SPEED = Dress(0x0200, (0xEF, 2, 1), 64, 0x0318, 0xA0, 250, "Quectel")
_SUPER_SPEED = Dress(0x0320, (0, 0, 0), 9, 0x0414, 0xA0, 112, "Quectel", "DIAG_SER_RMNET")


def dress(face: Face) -> Dress:
    if face.vid == QUALCOMM:
        return _BOOT_ROM
    return _SUPER_SPEED if face.superspeed else _HIGH_SPEED


def descriptor(face: Face, kind: int, index: int) -> bytes | None:
    """What GET_DESCRIPTOR answers, whole; None for what this device does not have."""
    match kind, index:
        case Kind.DEVICE, 0:
            return _device(face)
        case Kind.CONFIGURATION, 0 if face.lie.configuration is not None:
            return face.lie.configuration
        case Kind.CONFIGURATION, 0:
            return _configuration(face)
        case Kind.STRING, _:
            return _string(face, index)
        case Kind.DEVICE_QUALIFIER, 0 if not face.superspeed:
            return _qualifier(face)
        case Kind.BOS, 0 if face.superspeed:
            return _BOS
        case _:
            return None


def _device(face: Face) -> bytes:
    look = dress(face)
    return struct.pack(
        "<BBHBBBBHHHBBBB",
        *(18, Kind.DEVICE, look.usb, *look.device_class, look.control_packet),
        *(face.vid, face.pid, look.version),
        _MANUFACTURER,
        _PRODUCT if face.product is not None else 0,
        0,  # iSerialNumber
        1,  # bNumConfigurations
    )


def _qualifier(face: Face) -> bytes:
    look = dress(face)
    return struct.pack(
        "<BBHBBBBBB",
        *(10, Kind.DEVICE_QUALIFIER, look.usb, *look.device_class, look.control_packet, 1, 0),
    )


def _configuration(face: Face) -> bytes:
    look = dress(face)
    body = b"".join(_interface(interface, face) for interface in face.interfaces)
    return (
        struct.pack(
            "<BBHBBBBB",
            *(9, Kind.CONFIGURATION, 9 + len(body), min(255, len(face.interfaces)), CONFIGURATION),
            _CONFIGURATION_NAME if look.configuration_name is not None else 0,
            *(look.attributes, look.power),
        )
        + body
    )


def _interface(interface: Interface, face: Face) -> bytes:
    kind = (interface.usb_class, interface.usb_subclass, interface.usb_protocol)
    head = bytes(
        (9, Kind.INTERFACE, interface.number & 0xFF, 0, len(interface.endpoints), *kind, 0)
    )
    is_port = interface.usb_class == _VENDOR and interface.usb_subclass == 0
    extra = face.lie.extra or (_SERIAL_PORT if is_port else b"")
    return head + extra + b"".join(_endpoint(each, face) for each in interface.endpoints)


def _endpoint(endpoint: Endpoint, face: Face) -> bytes:
    is_interrupt = endpoint.transfer == _INTERRUPT
    own = struct.pack(
        "<BBBBHB",
        *(7, Kind.ENDPOINT, endpoint.address, endpoint.transfer, endpoint.max_packet_bytes),
        _INTERRUPT_INTERVAL if is_interrupt else 0,
    )
    if not face.superspeed:
        return own
    per_interval_bytes = endpoint.max_packet_bytes if is_interrupt else 0
    return own + struct.pack("<BBBBH", 6, Kind.COMPANION, 0, 0, per_interval_bytes)


def _string(face: Face, index: int) -> bytes | None:
    payload = _US_ENGLISH.to_bytes(2, "little")
    if index and face.lie.empty_strings:
        payload = b""
    elif index:
        text = _texts(face).get(index)
        if text is None:
            return None
        payload = text[:_MAX_STRING_CHARS].encode("utf-16-le")
    return bytes((len(payload) + 2, Kind.STRING)) + payload


def _texts(face: Face) -> dict[int, str | None]:
    look = dress(face)
    return {
        _MANUFACTURER: look.manufacturer,
        _PRODUCT: face.product,
        _CONFIGURATION_NAME: look.configuration_name,
    }
