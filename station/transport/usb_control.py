"""The few control transfers the station makes: the line state of a port, the product string."""

import struct
from array import array
from dataclasses import dataclass

import usb.backend

from station.errors import Disconnected, UsbAccess, UsbError
from station.transport.claim import DTR_AND_RTS, SET_CONTROL_LINE_STATE
from station.transport.usb_events import EventPump, Opened
from station.transport.usb_flight import Flight, Memory, Status, status_error

_SETUP = struct.Struct("<BBHHH")
_TIMEOUT_S = 1.0
_CONTROL = 0

_GET_DESCRIPTOR = (0x80, 0x06)
_STRING = 3
"""Ref: USB 2.0, 9.4.3 and 9.6.7."""
_STRING_BYTES = 255


@dataclass(frozen=True, slots=True)
class Setup:
    """The eight bytes a control transfer begins with."""

    request_type: int
    request: int
    value: int
    index: int
    length_bytes: int = 0

    def pack(self) -> bytes:
        return _SETUP.pack(
            self.request_type, self.request, self.value, self.index, self.length_bytes
        )


def line_state(interface: int) -> Setup:
    """DTR and RTS on, as the kernel's `option` driver does; without, the port stays mute.
    Ref: Linux drivers/usb/serial/usb_wwan.c (usb_wwan_send_setup)."""
    return Setup(*SET_CONTROL_LINE_STATE, DTR_AND_RTS, interface)


def string_request(index: int, language: int) -> Setup:
    return Setup(*_GET_DESCRIPTOR, _STRING << 8 | index, language, _STRING_BYTES)


def parse_string(data: bytes) -> str | None:
    """The text of a string descriptor; None for one that is empty or no such thing."""
    if len(data) < 2 or data[1] != _STRING or not 2 < data[0] <= len(data) or data[0] % 2:
        return None
    try:
        return data[2 : data[0]].decode("utf-16-le")
    except UnicodeDecodeError:
        return None


def parse_languages(data: bytes) -> int | None:
    """The first language a device has strings in."""
    if len(data) < 4 or data[1] != _STRING or data[0] < 4:
        return None
    return data[2] | data[3] << 8


async def control(pump: EventPump, opened: Opened, setup: Setup, doing: str) -> bytes:
    """One control transfer, without or with data to come in; what came.

    Raises what a transfer raises: UsbStall for a request the module does not know, Timeout after
    a second, Disconnected, UsbBroken.
    """
    memory = Memory(_SETUP.size + setup.length_bytes)
    memory.put(setup.pack())
    flight = Flight(pump, opened, 0, _CONTROL, doing)
    try:
        await flight.fly(memory, memory.length_bytes, _TIMEOUT_S)
        if flight.status != Status.COMPLETED:
            is_late = flight.status == Status.CANCELLED
            raise status_error(Status.TIMED_OUT if is_late else flight.status, doing)
        return memory.take(_SETUP.size, min(flight.actual_bytes, setup.length_bytes))
    finally:
        flight.free()


async def set_line_state(pump: EventPump, opened: Opened, interface: int, doing: str) -> None:
    """A port without modem control stalls the request or ignores it, and needs none; the kernel
    does not look at the result either. Raises Disconnected, UsbAccess."""
    try:
        await control(pump, opened, line_state(interface), doing)
    except (Disconnected, UsbAccess):
        raise
    except UsbError:
        pass


async def read_string(pump: EventPump, opened: Opened, index: int, doing: str) -> str | None:
    """String `index` in the device's first language; None when there is none to read."""
    try:
        languages = await control(pump, opened, string_request(0, 0), doing)
        language = parse_languages(languages)
        if language is None:
            return None
        return parse_string(await control(pump, opened, string_request(index, language), doing))
    except UsbError:
        return None


def read_string_blocking(backend: usb.backend.IBackend, handle: object, index: int) -> str | None:
    """The same by pyusb's backend. Raises what that raises."""
    language = parse_languages(_asked(backend, handle, string_request(0, 0)))
    if language is None:
        return None
    return parse_string(_asked(backend, handle, string_request(index, language)))


def _asked(backend: usb.backend.IBackend, handle: object, setup: Setup) -> bytes:
    buffer = array("B", bytes(setup.length_bytes))
    got = backend.ctrl_transfer(
        handle,
        setup.request_type,
        setup.request,
        setup.value,
        setup.index,
        buffer,
        int(_TIMEOUT_S * 1000),
    )
    return buffer[:got].tobytes()
