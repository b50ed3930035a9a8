"""One USB/IP connection: its bytes, bounded in time and number, and a module's life on it.

What a host says comes in batches, as much as the socket holds; all answers to a batch leave
together. At 8 KiB a transfer that is what makes a module as fast as its host.
"""

import math
from dataclasses import dataclass, field

import trio

from station.errors import Disconnected, ProtocolError
from station.sim import usbip_wire as wire
from station.sim.usbip_device import UsbipDevice
from station.sim.usbip_wire import Submit, Unlink

REST_S = 10.0
"""Who connects asks in this time; who began a command ends it in this time."""
SEND_S = 30.0
"""A peer that does not take what it is sent in this time is gone."""

_SOME = 256
"""So many commands are taken before the module works and its answers are sent."""

_READ_BYTES = 256 << 10
_ROOM_BYTES = 2 * (wire.MAX_TRANSFER_BYTES + wire.HEAD_BYTES + _READ_BYTES)


class Gone(Exception):
    """The peer left."""


class Wires:
    """Both directions of one connection; what came and was not taken yet is held in one buffer."""

    def __init__(self, stream: trio.SocketStream, patience: float = 1.0) -> None:
        self.patience = patience
        self._stream = stream
        self._buffer = bytearray(4096)
        self._start = self._end = 0

    @property
    def held_bytes(self) -> int:
        return self._end - self._start

    def take(self, count: int) -> bytes:
        """The next `count` bytes, which are there."""
        start = self._start
        self._start = start + count
        data = bytes(memoryview(self._buffer)[start : self._start])
        if self._start == self._end:
            self._start = self._end = 0
        return data

    async def exactly(self, count: int) -> bytes:
        """The next `count` bytes. Raises ProtocolError if they do not come in time."""
        try:
            with trio.fail_after(REST_S * self.patience):
                while self.held_bytes < count:
                    await self.more()
        except trio.TooSlowError:
            raise broke_off() from None
        return self.take(count)

    async def more(self) -> None:
        """Wait until something comes. Raises Gone."""
        self._make_room()
        try:
            room = memoryview(self._buffer)[self._end : self._end + _READ_BYTES]
            with room:
                count = await self._stream.socket.recv_into(room)
        except OSError:
            raise Gone from None
        if not count:
            raise Gone
        self._end += count

    async def send(self, data: bytes) -> None:
        """Raises Gone, ProtocolError if nobody takes it in time."""
        try:
            with trio.fail_after(SEND_S * self.patience):
                await self._stream.send_all(data)
        except trio.TooSlowError:
            raise ProtocolError(f"it took nothing for {SEND_S:g} s") from None
        except trio.BrokenResourceError:
            raise Gone from None

    def _make_room(self) -> None:
        """For one read, at the end; a connection that brings payload gets a buffer for it."""
        if self._end + _READ_BYTES <= len(self._buffer):
            return
        held = self.held_bytes
        self._buffer[:held] = self._buffer[self._start : self._end]
        self._start, self._end = 0, held
        if held + _READ_BYTES > len(self._buffer):
            self._buffer.extend(
                bytes(min(_ROOM_BYTES, 2 * (held + _READ_BYTES)) - len(self._buffer))
            )


def broke_off() -> ProtocolError:
    return ProtocolError(f"it broke off in the middle of what it said, {REST_S:g} s ago")


@dataclass(eq=False, slots=True)
class Visit:
    """An import from its answer to its end, which is always an exception."""

    wires: Wires
    device: UsbipDevice
    _begun: Submit | Unlink | None = None
    _begun_s: float = math.inf
    _listening: trio.CancelScope = field(default_factory=trio.CancelScope)
    _is_woken: bool = False

    def wake(self) -> None:
        """Something happened to the module from elsewhere: look again."""
        self._is_woken = True
        self._listening.cancel()

    async def run(self) -> None:
        """Raises Gone; ProtocolError; Disconnected once what was answered before is sent."""
        while True:
            self._is_woken = False
            due_s = await self._work()
            if not self._hear() and not self._is_woken:
                await self._listen(math.inf if due_s is None else due_s)

    async def _work(self) -> float | None:
        """Answer what can be answered; when the module can go on by itself."""
        due_s = left = None
        try:
            due_s = self.device.work(trio.current_time())
        except Disconnected as error:
            left = error
        if answers := self.device.answers:
            said = b"".join(answers)
            answers.clear()
            await self.wires.send(said)
        if left is not None:
            raise left
        return due_s

    async def _listen(self, until_s: float) -> None:
        rest_s = self._begun_s + REST_S * self.wires.patience
        if trio.current_time() >= rest_s:
            raise broke_off()
        self._listening = trio.CancelScope(deadline=min(rest_s, until_s))
        with self._listening:
            await self.wires.more()

    def _hear(self) -> bool:
        """Take what commands are there as a whole, some at a time; whether there were any."""
        now_s = trio.current_time()
        for count in range(_SOME):
            if (command := self._next()) is None:
                self._note_rest(now_s, has_progress=count > 0)
                return count > 0
            length = command.data_bytes if isinstance(command, Submit) else 0
            self.device.take(command, self.wires.take(length) if length else b"", now_s)
        return True

    def _next(self) -> Submit | Unlink | None:
        """A command whose data is there."""
        wires, command = self.wires, self._begun
        if command is None:
            if wires.held_bytes < wire.HEAD_BYTES:
                return None
            command = wire.parse_command(wires.take(wire.HEAD_BYTES))
            self.device.admit(command)
        if isinstance(command, Submit) and wires.held_bytes < command.data_bytes:
            self._begun = command
            return None
        self._begun = None
        return command

    def _note_rest(self, now_s: float, *, has_progress: bool) -> None:
        """Since when the rest of a command is missing."""
        if self._begun is None and not self.wires.held_bytes:
            self._begun_s = math.inf
        elif has_progress or self._begun_s == math.inf:
            self._begun_s = now_s
