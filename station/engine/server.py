"""The engine's ear and mouth: a unix socket for screens and for commands.

A connection is hostile until it is gone: lines, time and number are bounded, and whatever it
sends or fails to read, it harms nobody but itself. What a command means is the desk's business.
"""

import errno
import json
import math
import pwd
import socket
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import trio

from station.engine.feed import Feed, Subscription, plain
from station.errors import Bug, StationError, TooManyScreens, UsageError
from station.socket_file import listening
from station.wire import (
    MAX_COMMAND_BYTES,
    Answer,
    Command,
    Follow,
    Hello,
    Message,
    Refusal,
    Watch,
    message_line,
    parse_command,
)
from station.wire.messages import MAX_MESSAGE_BYTES

MAX_CONNECTIONS = 32
MAX_BAD_LINES = 20
"""So many in a row, and the peer is not speaking our language."""

PACE_S = 0.1
"""Changes go out at most this often; what happens meanwhile is told together."""

BEAT_S = 1.0
SEND_S = 10.0
"""A peer that does not take what it is sent in this time is gone."""

IDLE_S = 60.0
"""Who neither watches nor sends a whole line for so long is gone."""

ACCEPT_AGAIN_S = 1.0
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_READ_BYTES = 16 << 10


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, as the kernel says; `user` is the number if it has no name."""

    pid: int
    uid: int
    gid: int
    user: str


class Desk(Protocol):
    async def carry_out(self, command: Command, peer: Peer) -> dict[str, Any]:
        """Do it and return the answer's data. Raises StationError: refused."""
        ...


async def serve_socket(
    path: Path,
    hello: Hello,
    desk: Desk,
    feed: Feed,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer whoever connects to `path`, until cancelled.

    Raises ConfigError or DiskTrouble if there can be no socket at this path.
    """
    with listening(path) as made:
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(made))
        house = _House(message_line(hello), desk, feed)
        async with trio.open_nursery() as nursery:
            task_status.started()
            while True:
                nursery.start_soon(house.receive, await _next_peer(listener))


async def _next_peer(listener: trio.SocketListener) -> trio.SocketStream:
    """Who comes next. While no file can be opened for him he waits in the kernel's queue; that is
    the alarm of `station.engine.health`."""
    while True:
        try:
            return await listener.accept()
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            await trio.sleep(ACCEPT_AGAIN_S)


class _Gone(Exception):
    """The peer left, or was sent away."""


@dataclass(slots=True)
class _House:
    hello_line: bytes
    desk: Desk
    feed: Feed
    connections: int = 0

    async def receive(self, stream: trio.SocketStream) -> None:
        """One connection from its hello to its end; never raises an Exception."""
        self.connections += 1
        try:
            async with stream:
                await self._converse(stream)
        except* _Gone:
            pass
        except* Exception as bugs:  # noqa: BLE001 - a screen's trouble is never the engine's
            self.feed.log(f"a screen was dropped by a bug: {bugs.exceptions[0]!r}", good=False)
        finally:
            self.connections -= 1

    async def _converse(self, stream: trio.SocketStream) -> None:
        voice = _Voice(stream)
        await voice.send(self.hello_line)
        if self.connections > MAX_CONNECTIONS:
            full = TooManyScreens(f"{MAX_CONNECTIONS} screens or commands are connected already")
            await voice.send(message_line(_refused(None, full)))
            return
        with self.feed.subscribe() as subscription:
            async with trio.open_nursery() as nursery:
                visit = _Visit(voice, _Lines(stream), self.desk, _peer(stream), subscription)
                nursery.start_soon(visit.tell_changes)
                await visit.answer_all()
                nursery.cancel_scope.cancel()


@dataclass(slots=True)
class _Voice:
    """What is sent to one peer: whole lines, one sender at a time, never for long."""

    stream: trio.SocketStream
    _lock: trio.Lock = field(default_factory=trio.Lock)

    async def send(self, lines: bytes) -> None:
        """Raises _Gone, with the connection closed, if the peer does not take it in time."""
        async with self._lock:
            try:
                with trio.fail_after(SEND_S):
                    await self.stream.send_all(lines)
            except (trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError):
                await trio.aclose_forcefully(self.stream)
                raise _Gone from None


@dataclass(slots=True)
class _Lines:
    """What one peer sends, line by line; holds one line and one read at most."""

    stream: trio.SocketStream
    _buffer: bytearray = field(default_factory=bytearray)

    async def next(self) -> bytes:
        """The next line without its end. Raises _Gone at the end of the connection, UsageError
        for a line that is too long: what follows it is lost."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > MAX_COMMAND_BYTES:
                raise _too_long()
            self._buffer += await self._more()
        if end > MAX_COMMAND_BYTES:
            raise _too_long()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    async def _more(self) -> bytes:
        try:
            data = await self.stream.receive_some(_READ_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise _Gone from None
        if not data:
            raise _Gone
        return bytes(data)


@dataclass(slots=True)
class _Visit:
    """One admitted connection. Its commands are carried out one after another; the changes that
    it watches go out meanwhile."""

    voice: _Voice
    lines: _Lines
    desk: Desk
    peer: Peer
    subscription: Subscription
    watched: trio.Event = field(default_factory=trio.Event)

    async def answer_all(self) -> None:
        """Read and answer commands until the peer leaves, or is sent away.

        A command that was begun is finished even if the peer leaves: nothing cancels it but the
        engine's end.
        """
        bad_lines = 0
        while bad_lines < MAX_BAD_LINES:
            line = await self._next_line()
            try:
                command = parse_command(line)
            except UsageError as error:
                bad_lines += 1
                await self.voice.send(message_line(_refused(_id_in(line), error)))
                continue
            bad_lines = 0
            answer = await self._answer_line(command)
            with trio.CancelScope(shield=True):  # the answer to `stop` ends us; it is owed
                await self.voice.send(answer)
            if isinstance(command, Watch):
                self.watched.set()

    async def _next_line(self) -> bytes:
        patience_s = math.inf if self.watched.is_set() else IDLE_S
        try:
            with trio.fail_after(patience_s):
                return await self.lines.next()
        except trio.TooSlowError:
            raise _Gone from None
        except UsageError as error:
            await self.voice.send(message_line(_refused(None, error)))
            raise _Gone from None

    async def _answer_line(self, command: Command) -> bytes:
        """Never raises an Exception: a bug at the desk is an answer, too."""
        try:
            line = message_line(Answer(command.id, data=await self._carry_out(command)))
            if len(line) > MAX_MESSAGE_BYTES:
                raise Bug(f"the answer to {command.do} is too long: {len(line)} bytes")  # noqa: TRY301 - answered like every other refusal
        except StationError as error:
            return message_line(_refused(command.id, error))
        except Exception as error:  # noqa: BLE001 - one command's bug must not end the engine
            bug = Bug(f"{command.do}: {type(error).__name__}: {error}")
            return message_line(_refused(command.id, bug))
        return line

    async def _carry_out(self, command: Command) -> dict[str, Any]:
        match command:
            case Watch():
                if self.watched.is_set():
                    raise UsageError("command: watch: this connection watches already")
            case Follow():
                self.subscription.follow(command.slot)
            case _:
                return await self.desk.carry_out(command, self.peer)
        return {}

    async def tell_changes(self) -> None:
        """Once watched: send a snapshot, then changes and beats, until the peer does not take
        them."""
        await self.watched.wait()
        beat_at_s = trio.current_time() + BEAT_S
        while True:
            messages: list[Message] = []
            with trio.move_on_at(beat_at_s):
                messages = await self.subscription.take()
            now_s = trio.current_time()
            if not messages:
                messages = [self.subscription.beat()]
                beat_at_s = now_s + BEAT_S
            try:
                await self.voice.send(b"".join(map(message_line, messages)))
            except _Gone:
                return  # the reader finds the connection closed when its command is done
            await trio.sleep_until(now_s + PACE_S)


def _peer(stream: trio.SocketStream) -> Peer:
    credentials = struct.Struct("iII")
    raw = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, credentials.size)
    pid, uid, gid = credentials.unpack(raw)
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    return Peer(pid, uid, gid, user)


def _too_long() -> UsageError:
    return UsageError(f"command: the line has more than {MAX_COMMAND_BYTES} bytes")


def _refused(command_id: str | None, error: StationError) -> Answer:
    refusal = Refusal(error.code, error.headline, plain(error.cause), error.remedy)
    return Answer(command_id, refusal)


def _id_in(line: bytes) -> str | None:
    """The id of a command that could not be read, if it is there to be seen."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    value = found.get("id") if isinstance(found, dict) else None
    return value if isinstance(value, str) and len(value) <= 64 and value.isprintable() else None
