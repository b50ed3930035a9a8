"""USB/IP as a host without a kernel speaks it: who is exported, and one imported device.

The protocol is in `station.sim.usbip_wire`; the host's half of it is written down here.
"""

import struct
from dataclasses import dataclass, field
from itertools import count

import trio

UNLINKED = -104
STALLED = -32
"""Status of a transfer, as the kernel numbers them: ECONNRESET, EPIPE."""

MAX_TRANSFER_BYTES = 1 << 20
SUPER_SPEED = 5

PATIENCE_S = 10.0
"""The other end answers a question, takes a command and gives a transfer back in this time."""

_SUBMIT, _UNLINK, _SUBMITTED, _UNLINKED = 1, 2, 3, 4
_DEVLIST = bytes.fromhex("0111 8005 00000000")
_IMPORT = bytes.fromhex("0111 8003 00000000")
_OK = 0
_QUESTION = struct.Struct(">HHI")
_DEVICE = struct.Struct(">256s32sIIIHHHBBBBBB")
_COMMAND = struct.Struct(">10I8s")
_ANSWER = struct.Struct(">II12xiI20x")


@dataclass(eq=False, slots=True)
class Transfer:
    """One way over one endpoint. `status` is None until the answer, and of a device that left;
    `came` is what came in, also of a transfer that was recalled."""

    address: int
    data: bytes = b""
    length_bytes: int = 0
    flags: int = 0
    setup: bytes = bytes(8)
    status: int | None = None
    came: bytes = b""
    done: trio.Event = field(default_factory=trio.Event)

    def end(self, status: int | None, came: bytes = b"") -> None:
        self.status, self.came = status, came
        self.done.set()


class Imported:
    """A device on its connection: `run` it in a task of its own; when that ends, it has left."""

    def __init__(self, stream: trio.SocketStream, device_id: int, speed: int) -> None:
        self.is_super = speed == SUPER_SPEED
        self.has_left = False
        self._stream = stream
        self._device_id = device_id
        self._sequences = count(1)
        self._under_way: dict[int, Transfer] = {}
        self._recalled: dict[int, int] = {}
        self._sending = trio.Lock()

    async def run(self) -> None:
        """Take answers until either side closes the connection; never raises an Exception."""
        try:
            while True:
                await self._hear()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self.has_left = True
            for transfer in self._under_way.values():
                transfer.end(None)
            await trio.aclose_forcefully(self._stream)

    async def leave(self) -> None:
        """Close the connection; `run` ends."""
        await trio.aclose_forcefully(self._stream)

    async def fly(self, transfer: Transfer, timeout_s: float) -> None:
        """Until it has ended. Recalled when time is up, or when the task is cancelled: what came
        or was taken by then is told by the transfer."""
        if self.has_left:
            transfer.end(None)
            return
        sequence = next(self._sequences)
        is_in = transfer.address >> 7
        head = (_SUBMIT, sequence, self._device_id, is_in, transfer.address & 0xF, transfer.flags)
        length_bytes = transfer.length_bytes if is_in else len(transfer.data)
        self._under_way[sequence] = transfer
        try:
            await self._say(
                _COMMAND.pack(*head, length_bytes, 0, 0, 0, transfer.setup) + transfer.data
            )
            with trio.move_on_after(timeout_s):
                await transfer.done.wait()
        finally:
            if not transfer.done.is_set():
                await self._recall(sequence, transfer)
            self._under_way.pop(sequence, None)

    async def _recall(self, target: int, transfer: Transfer) -> None:
        sequence = next(self._sequences)
        self._recalled[sequence] = target
        head = (_UNLINK, sequence, self._device_id, 0, 0, target)
        with trio.move_on_after(PATIENCE_S, shield=True):
            await self._say(_COMMAND.pack(*head, 0, 0, 0, 0, bytes(8)))
            await transfer.done.wait()
        if not transfer.done.is_set():
            await self.leave()

    async def _say(self, data: bytes) -> None:
        """Whole or not at all: half a command would be the end of the connection."""
        with trio.move_on_after(PATIENCE_S, shield=True) as scope:
            async with self._sending:
                try:
                    await self._stream.send_all(data)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    return  # `run` sees it, too
        if scope.cancelled_caught:
            await self.leave()

    async def _hear(self) -> None:
        command, sequence, status, actual_bytes = _ANSWER.unpack(
            await exactly(self._stream, _ANSWER.size)
        )
        if command == _UNLINKED:
            sequence = self._recalled.pop(sequence)
            if (transfer := self._under_way.get(sequence)) is not None:
                transfer.end(UNLINKED)
            return
        transfer = self._under_way.pop(sequence)
        comes = actual_bytes if transfer.address & 0x80 else 0
        transfer.end(status, await exactly(self._stream, comes))


# --- questions --------------------------------------------------------------------------------


async def listed(address: tuple[str, int]) -> list[str]:
    """The bus ids of what is exported now. Raises OSError."""
    with trio.fail_after(PATIENCE_S):
        async with await trio.open_tcp_stream(*address) as stream:
            await stream.send_all(_DEVLIST)
            await exactly(stream, _QUESTION.size)
            (devices,) = struct.unpack(">I", await exactly(stream, 4))
            found = []
            for _ in range(devices):
                *_, bus_id, interfaces = _device(await exactly(stream, _DEVICE.size))
                found.append(bus_id)
                await exactly(stream, 4 * interfaces)
            return found


async def import_device(address: tuple[str, int], bus_id: str) -> Imported | None:
    """None if somebody has it, or it is not there. Raises OSError."""
    with trio.fail_after(PATIENCE_S):
        stream = await trio.open_tcp_stream(*address)
        try:
            await stream.send_all(_IMPORT + bus_id.encode().ljust(32, b"\0"))
            *_, status = _QUESTION.unpack(await exactly(stream, _QUESTION.size))
            if status == _OK:
                device = await exactly(stream, _DEVICE.size)
                device_id, speed, *_ = _device(device)
                return Imported(stream, device_id, speed)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
    await trio.aclose_forcefully(stream)
    return None


def _device(data: bytes) -> tuple[int, int, str, int]:
    """Id, speed, bus id, number of interfaces."""
    _, bus_id, bus, number, speed, *_, interfaces = _DEVICE.unpack(data)
    return bus << 16 | number, speed, bus_id.rstrip(b"\0").decode(), interfaces


async def exactly(stream: trio.SocketStream, wanted_bytes: int) -> bytes:
    """Raises BrokenResourceError if they do not come."""
    data = bytearray()
    while len(data) < wanted_bytes:
        some = await stream.receive_some(wanted_bytes - len(data))
        if not some:
            raise trio.BrokenResourceError
        data += some
    return bytes(data)
