"""USB/IP 1.1.1 as bytes: what a host that imports our modules says, and what it is answered.

Everything is big endian. First one of two questions on a fresh connection:

    OP_REQ_DEVLIST  0111 8005 00000000                     ends with the answer
    OP_REP_DEVLIST  0111 0005 00000000 count device(312) interfaces(4 each) ...
    OP_REQ_IMPORT   0111 8003 00000000 bus id(32)          the connection is the device from here
    OP_REP_IMPORT   0111 0003 status   device(312)         without the device if it is refused

then commands and their answers, each with a head of 48 bytes:

    0        4        8        12        16       20             24          40      48
    command  sequence device   direction endpoint flags          length ...  setup   data
    1 SUBMIT n        bus<<16  1 is IN   0 to 15  URB flags      of buffer   8 bytes  if OUT
    2 UNLINK n        |number  0         0        n to unlink    0
    3 its answer n    0        0         0        status         taken ...   0        if IN
    4 its answer n    0        0         0        -104, or 0 if that one was answered already

Ref: Documentation/usb/usbip_protocol.rst and include/uapi/linux/usbip.h of the Linux kernel.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Self

from station.errors import ProtocolError

VERSION = 0x0111
QUESTION_BYTES = 8
BUS_ID_BYTES = 32
HEAD_BYTES = 48

MAX_TRANSFER_BYTES = 1 << 20
"""The longest buffer one SUBMIT may bring or ask for."""

SHORT_NOT_OK = 0x0001
"""URB flag: less than the whole buffer is an error."""
ZERO_PACKET = 0x0040
"""URB flag: a transfer that ends with a full packet is followed by an empty one."""

STALLED = -32
OVERFLOW = -75
UNLINKED = -104
TOO_SHORT = -121
"""URB status, as the kernel numbers them: EPIPE, EOVERFLOW, ECONNRESET, EREMOTEIO."""

_QUESTION = struct.Struct(">HHI")
_DEVICE = struct.Struct(">256s32sIIIHHHBBBBBB")
DEVICE_BYTES = _DEVICE.size
_SUBMIT = struct.Struct(">5I5I8s")
_SUBMITTED = struct.Struct(">5IiIIII8x")
_UNLINK = struct.Struct(">5II24x")
_NOT_ISOCHRONOUS = (0, 0xFFFFFFFF)


class Op(IntEnum):
    DEVLIST = 0x8005
    IMPORT = 0x8003


class ImportStatus(IntEnum):
    """The kernel's own words for why there is no import."""

    OK = 0
    BUSY = 2
    NO_DEVICE = 4


class Speed(IntEnum):
    """As in the kernel's `enum usb_device_speed`."""

    HIGH = 3
    SUPER = 5


class _Command(IntEnum):
    SUBMIT = 1
    UNLINK = 2
    SUBMITTED = 3
    UNLINKED = 4


@dataclass(frozen=True, slots=True)
class Device:
    """A module as a list of devices shows it. `classes`: of the device and of each interface."""

    bus_id: str
    bus: int
    number: int
    speed: Speed
    vid: int
    pid: int
    version: int
    device_class: tuple[int, int, int]
    interface_classes: tuple[tuple[int, int, int], ...]

    @property
    def id(self) -> int:
        """What every command to this device carries."""
        return self.bus << 16 | self.number


class Submit(NamedTuple):
    """One transfer. `start_frame` and `packets` mean nothing here and are answered as they came."""

    sequence: int
    device_id: int
    is_in: bool
    endpoint: int
    flags: int
    length_bytes: int
    start_frame: int
    packets: int
    setup: bytes

    @property
    def data_bytes(self) -> int:
        """So much follows the head."""
        return 0 if self.is_in else self.length_bytes

    @property
    def address(self) -> int:
        """The endpoint as descriptors name it, with the direction bit."""
        return self.endpoint | (0x80 if self.is_in else 0)


@dataclass(frozen=True, slots=True)
class Unlink:
    sequence: int
    device_id: int
    target: int


@dataclass(frozen=True, slots=True)
class Setup:
    """The eight bytes that begin a control transfer; little endian, as on the wire of USB."""

    request_type: int
    request: int
    value: int
    index: int
    length_bytes: int

    @classmethod
    def parse(cls, data: bytes) -> Self:
        return cls(*struct.unpack("<BBHHH", data))


# --- questions --------------------------------------------------------------------------------


def parse_question(data: bytes) -> Op:
    """Eight bytes. Raises ProtocolError for another version and for what is no question."""
    version, code, _ = _QUESTION.unpack(data)
    if version != VERSION:
        raise ProtocolError(f"USB/IP version {version:04x} instead of {VERSION:04x}")
    try:
        return Op(code)
    except ValueError:
        raise ProtocolError(f"USB/IP has no question {code:04x}") from None


def parse_bus_id(data: bytes) -> str:
    """32 bytes, closed with a zero. Raises ProtocolError if they are no text."""
    text, closed, rest = data.partition(b"\0")
    if not closed or rest.strip(b"\0") or not text.isascii() or not text.decode().isprintable():
        raise ProtocolError(f"{data[:BUS_ID_BYTES]!r} is no bus id")
    return text.decode()


def devlist_answer(devices: Iterable[Device]) -> bytes:
    listed = [
        _device_bytes(device) + b"".join(bytes((*kind, 0)) for kind in _countable(device))
        for device in devices
    ]
    return _answer(Op.DEVLIST, 0) + struct.pack(">I", len(listed)) + b"".join(listed)


def import_answer(device: Device) -> bytes:
    return _answer(Op.IMPORT, ImportStatus.OK) + _device_bytes(device)


def import_refusal(status: ImportStatus) -> bytes:
    return _answer(Op.IMPORT, status)


def _answer(op: Op, status: int) -> bytes:
    return _QUESTION.pack(VERSION, op & 0x7FFF, status)


def _device_bytes(device: Device) -> bytes:
    path = f"/sys/devices/platform/station_sim/usb{device.bus}/{device.bus_id}"
    return _DEVICE.pack(
        path.encode(),
        device.bus_id.encode(),
        device.bus,
        device.number,
        device.speed,
        device.vid,
        device.pid,
        device.version,
        *device.device_class,
        1,  # bConfigurationValue
        1,  # bNumConfigurations
        len(_countable(device)),
    )


def _countable(device: Device) -> tuple[tuple[int, int, int], ...]:
    """As many interfaces as one byte can count."""
    return device.interface_classes[:255]


# --- the asking side -----------------------------------------------------------------------------


class Imported(NamedTuple):
    """What the kernel must know of a connection that is a device from here."""

    id: int
    speed: Speed
    vid: int
    pid: int


def import_question(bus_id: str) -> bytes:
    """`bus_id` is ASCII, at most 31 characters."""
    question = _QUESTION.pack(VERSION, Op.IMPORT, 0)
    return question + bus_id.encode("ascii").ljust(BUS_ID_BYTES, b"\0")


def parse_import_head(data: bytes) -> bool:
    """The eight bytes that begin the answer to an import: the device follows, or there is none.

    Raises ProtocolError for what is no such answer.
    """
    version, code, status = _QUESTION.unpack(data)
    if version != VERSION or code != Op.IMPORT & 0x7FFF:
        raise ProtocolError(f"{data.hex()} is no answer to an import of USB/IP 1.1.1")
    return int(status) == ImportStatus.OK


def parse_imported(data: bytes) -> Imported:
    """The device that follows. Raises ProtocolError for a speed or a number that cannot be."""
    _, _, bus, number, speed, vid, pid, *_ = _DEVICE.unpack(data)
    if bus > 0xFFFF or number > 0xFFFF:
        raise ProtocolError(f"a device cannot have number {number} on bus {bus}")
    try:
        return Imported(bus << 16 | number, Speed(speed), vid, pid)
    except ValueError:
        raise ProtocolError(f"a device of speed {speed} is not from here") from None


# --- commands ---------------------------------------------------------------------------------


def parse_command(head: bytes) -> Submit | Unlink:
    """The head of 48 bytes; of a SUBMIT, `data_bytes` follow.

    Raises ProtocolError for unknown commands, isochronous transfers, and values out of bounds.
    """
    (command,) = struct.unpack_from(">I", head)
    match command:
        case _Command.SUBMIT:
            return _parse_submit(head)
        case _Command.UNLINK:
            _, sequence, device_id, _, _, target = _UNLINK.unpack(head)
            return Unlink(sequence, device_id, target)
        case _:
            raise ProtocolError(f"USB/IP has no command {command:#x}")


def _parse_submit(head: bytes) -> Submit:
    fields = _SUBMIT.unpack(head)
    _, sequence, device_id, direction, endpoint, flags, length, frame, packets, _, setup = fields
    if direction > 1 or endpoint > 15:
        raise ProtocolError(f"there is no endpoint {endpoint} with direction {direction}")
    if length > MAX_TRANSFER_BYTES:
        raise ProtocolError(f"a transfer of {length} bytes; {MAX_TRANSFER_BYTES} is the most")
    if packets not in _NOT_ISOCHRONOUS:
        raise ProtocolError("an isochronous transfer; modules have no such endpoint")
    return Submit(
        sequence, device_id, direction == 1, endpoint, flags, length, frame, packets, setup
    )


def submit_answer(submit: Submit, status: int, data: bytes = b"", *, taken_bytes: int = 0) -> bytes:
    """`data` is what came in; `taken_bytes` is what went out."""
    is_in = submit.is_in
    errors = 0
    head = _SUBMITTED.pack(
        *(int(_Command.SUBMITTED), submit.sequence, 0, 0, 0, status),
        *(len(data) if is_in else taken_bytes, submit.start_frame, submit.packets, errors),
    )
    return head + data if is_in else head


def unlink_answer(unlink: Unlink, status: int) -> bytes:
    return struct.pack(">5Ii24x", _Command.UNLINKED, unlink.sequence, 0, 0, 0, status)
