"""An imported device, enumerated: what a kernel would have asked it, and who claims what."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from station.errors import Disconnected, Timeout, UsbBroken, UsbError, UsbStall
from station.model import DeviceInfo, Endpoint, Interface, PortPath
from station.transport.usb_control import Setup, parse_languages, parse_string, string_request
from tests.crash.usbip_host import STALLED, UNLINKED, Imported, Transfer

CONTROL_S = 5.0

_DEVICE, _CONFIGURATION, _INTERFACE, _ENDPOINT = 1, 2, 4, 5
_DEVICE_BYTES, _CONFIGURATION_BYTES = 18, 9
_PRODUCT_AT = 15
_CONFIGURE = Setup(0x00, 9, 1, 0)
RESET_PORT = Setup(0x23, 3, 4, 0)
"""The exporting host's port. Ref: Linux drivers/usb/usbip/stub_rx.c (is_reset_device_cmd)."""


@dataclass(eq=False, slots=True)
class Device:
    """What is imported from one exported port. `claimed`: interfaces, by number."""

    wire: Imported
    info: DeviceInfo
    product_index: int
    claimed: set[int] = field(default_factory=set)

    async def ask(self, setup: Setup) -> bytes:
        return await ask(self.wire, setup, self.info.path)

    async def product(self) -> str | None:
        """None if there is no string to read. Raises Disconnected."""
        try:
            language = parse_languages(await self.ask(string_request(0, 0)))
            if language is None or not self.product_index:
                return None
            return parse_string(await self.ask(string_request(self.product_index, language)))
        except Disconnected:
            raise
        except UsbError:
            return None


async def enumerated(wire: Imported, path: PortPath, generation: int) -> Device:
    """Asked for its descriptors and configured. Raises UsbError."""
    device = await ask(wire, _descriptor(_DEVICE, _DEVICE_BYTES), path)
    head = await ask(wire, _descriptor(_CONFIGURATION, _CONFIGURATION_BYTES), path)
    (total_bytes,) = struct.unpack_from("<H", head, 2)
    configuration = await ask(wire, _descriptor(_CONFIGURATION, total_bytes), path)
    await ask(wire, _CONFIGURE, path)
    vid, pid = struct.unpack_from("<HH", device, 8)
    info = DeviceInfo(path, vid, pid, tuple(_interfaces(configuration)), generation)
    return Device(wire, info, device[_PRODUCT_AT])


async def ask(wire: Imported, setup: Setup, path: PortPath) -> bytes:
    """One control transfer without data to go out; what came in."""
    address = setup.request_type & 0x80
    transfer = Transfer(address, length_bytes=setup.length_bytes, setup=setup.pack())
    await wire.fly(transfer, CONTROL_S)
    check(transfer, f"control transfer on {path}", CONTROL_S)
    return transfer.came


def check(transfer: Transfer, doing: str, timeout_s: float) -> None:
    """Raises Timeout, Disconnected, UsbStall, UsbBroken for a transfer that was not taken."""
    match transfer.status:
        case 0:
            return
        case None:
            raise Disconnected(f"{doing}: the device has left")
        case status if status == UNLINKED:
            raise Timeout(f"{doing}: nothing moved within {timeout_s:g} s")
        case status if status == STALLED:
            raise UsbStall(f"{doing}: the endpoint is stalled")
        case status:
            raise UsbBroken(f"{doing}: status {status}")


def _descriptor(kind: int, length_bytes: int) -> Setup:
    return Setup(0x80, 6, kind << 8, 0, length_bytes)


def _interfaces(configuration: bytes) -> Iterator[Interface]:
    """Ref: USB 2.0, 9.6.5 and 9.6.6."""
    parts = list(_parts(configuration))
    starts = [place for place, part in enumerate(parts) if part[1] == _INTERFACE]
    for start, end in zip(starts, [*starts[1:], len(parts)], strict=True):
        endpoints = tuple(_endpoint(p) for p in parts[start:end] if p[1] == _ENDPOINT)
        usb_class, usb_subclass, usb_protocol = parts[start][5:8]
        yield Interface(parts[start][2], usb_class, usb_subclass, usb_protocol, endpoints)


def _endpoint(part: bytes) -> Endpoint:
    address, kind, packet_bytes = struct.unpack_from("<BBH", part, 2)
    return Endpoint(address, kind & 0x03, packet_bytes & 0x07FF)


def _parts(configuration: bytes) -> Iterator[bytes]:
    while len(configuration) >= 2 and configuration[0] >= 2:
        yield configuration[: configuration[0]]
        configuration = configuration[configuration[0] :]
