"""Holds a simulated module at one port of the kernel's vhci, through all its changes of mode."""

import contextlib
import struct
from pathlib import Path

import trio

from station.model import PortPath
from station.sim import usbip_wire as wire
from tests.kernel.kernel import DEVICES

_VHCI = Path("/sys/devices/platform/vhci_hcd.0")
_FREE = "004"
_DEVICE = struct.Struct(">256s32sIII")
_DEVICE_BYTES = 312
_POLL_S = 0.01


def vhci_path(port: int) -> PortPath:
    """Where the kernel shows what is attached to this high-speed port of the first vhci."""
    hub = next(hub for hub in sorted(_VHCI.glob("usb*")) if _speed(hub.name) == "480")
    return PortPath(int(hub.name.removeprefix("usb")), (port + 1,))


async def hold(socket_path: str, bus_id: str, port: int) -> None:
    """Import `bus_id` from the server at `socket_path` whenever it is there; until cancelled."""
    try:
        while True:
            if await _attach(socket_path, bus_id, port):
                while not _is_free(port):  # noqa: ASYNC110 - the kernel rings no bell
                    await trio.sleep(_POLL_S)
            await trio.sleep(_POLL_S)
    finally:
        if not _is_free(port):
            with contextlib.suppress(OSError):  # freed just now
                (_VHCI / "detach").write_text(str(port))


async def _attach(socket_path: str, bus_id: str, port: int) -> bool:
    stream = await trio.open_unix_socket(socket_path)
    async with stream:
        question = struct.pack(">HHI32s", wire.VERSION, wire.Op.IMPORT, 0, bus_id.encode())
        await stream.send_all(question)
        head = await _exactly(stream, wire.QUESTION_BYTES)
        if head[4:] != bytes(4):
            return False
        device = await _exactly(stream, _DEVICE_BYTES)
        *_, bus, number, speed = _DEVICE.unpack_from(device)
        asked = f"{port} {stream.socket.fileno()} {bus << 16 | number} {speed}"
        try:
            (_VHCI / "attach").write_text(asked)
        except OSError:  # the port is not free yet
            return False
        return True


async def _exactly(stream: trio.SocketStream, count: int) -> bytes:
    data = b""
    while len(data) < count and (more := await stream.receive_some(count - len(data))):
        data += more
    return data


def _is_free(port: int) -> bool:
    lines = (_VHCI / "status").read_text().splitlines()[1:]
    return any(line.split()[1:3] == [f"{port:04}", _FREE] for line in lines)


def _speed(device: str) -> str:
    return (DEVICES / device / "speed").read_text().strip()
