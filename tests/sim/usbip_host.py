"""The other end of USB/IP in tests: a strict host, and a server of modules for it."""

import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from station.model import PortPath
from station.sim.port import Module, SimPort
from station.sim.usbip_server import UsbipServer
from tests.mock_time import time_passes

IMPORT_1_1 = bytes.fromhex("0111 8003 00000000") + b"1-1".ljust(32, b"\0")
IMPORTED = bytes.fromhex("0111 0003 00000000")
NO_DEVICE = bytes.fromhex("0111 0003 00000004")


@dataclass
class Peer:
    """The other end of a connection; an answer that is not the expected one fails the test."""

    stream: trio.SocketStream
    buffer: bytearray = field(default_factory=bytearray)
    sequence: int = 0
    device_id: int = 0x00010001

    async def say(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def hear(self, count: int) -> bytes:
        while len(self.buffer) < count:
            data = await self.stream.receive_some(65536)
            assert data, f"closed after {bytes(self.buffer)!r}"
            self.buffer += data
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    async def ask(self, data: bytes, count: int) -> bytes:
        await self.say(data)
        return await self.hear(count)

    async def is_closed(self) -> bool:
        """Waits until it is; whatever still came does not count."""
        try:
            while await self.stream.receive_some(65536):
                pass
        except trio.BrokenResourceError:
            pass
        return True

    async def transfer(
        self, address: int, data: bytes = b"", *, length: int = 0, flags: int = 0, setup: str = ""
    ) -> tuple[int, bytes]:
        """One transfer from its submit to its answer: status and data."""
        self.sequence += 1
        head = (1, self.sequence, self.device_id, address >> 7, address & 0xF, flags)
        await self.say(
            struct.pack(">10I8s", *head, length or len(data), 0, 0, 0, bytes.fromhex(setup)) + data
        )
        answer = await self.hear(48)
        command, sequence, status, came = struct.unpack(">II12xiI20x", answer)
        assert (command, sequence) == (3, self.sequence)
        return status, await self.hear(came if address & 0x80 else 0)

    async def descriptor(self, kind: int, index: int, length: int) -> bytes:
        setup = struct.pack("<BBBBHH", 0x80, 6, index, kind, 0, length).hex()
        status, data = await self.transfer(0x80, length=length, setup=setup)
        assert status == 0
        return data


class House:
    """A server at a unix socket and the ports it exports: 1-1, 1-2, ..."""

    def __init__(self, folder: Path, modules: tuple[Module | None, ...]) -> None:
        self.ports = [
            SimPort(PortPath(1, (number + 1,)), PortPath(2, (number + 1,)))
            for number in range(len(modules))
        ]
        self.told: list[str] = []
        self._streams: list[trio.SocketStream] = []
        self.server = UsbipServer(self.ports, self.told.append)
        for port, module in zip(self.ports, modules, strict=True):
            if module is not None:
                self.server.plug(port, module)
        listener = socket.socket(socket.AF_UNIX)
        self._path = str(folder / "usbip")
        listener.bind(self._path)
        listener.listen(256)
        self.listener = trio.SocketListener(trio.socket.from_stdlib_socket(listener))

    async def peer(self) -> Peer:
        stream = await trio.open_unix_socket(self._path)
        self._streams.append(stream)
        return Peer(stream)

    async def leave(self) -> None:
        for stream in self._streams:
            await stream.aclose()

    async def imported(self, number: int = 1) -> Peer:
        peer = await self.peer()
        await peer.say(IMPORT_1_1.replace(b"1-1", b"1-%d" % number))
        answer = await peer.hear(8 + 312)
        assert answer[:8] == IMPORTED
        bus, device_number = struct.unpack_from(">II", answer, 296)
        peer.device_id = bus << 16 | device_number
        return peer

    async def returned(self) -> tuple[Peer, bytes]:
        """Ask for 1-1 until it is there again; the import and its answer."""
        while True:
            peer = await self.peer()
            answer = await peer.ask(IMPORT_1_1, 8)
            if answer != NO_DEVICE:
                return peer, answer + await peer.hear(312)
            assert await peer.is_closed()
            await time_passes(0.1)


@asynccontextmanager
async def house(folder: Path, *modules: Module | None) -> AsyncIterator[House]:
    made = House(folder, modules)
    async with trio.open_nursery() as nursery:
        await nursery.start(made.server.serve, [made.listener])
        try:
            yield made
        finally:
            await made.leave()
        nursery.cancel_scope.cancel()
