"""A call to the engine: one connection to its socket, for commands without a screen.

Blocking, because a command has nothing else to do. The peer may be anything that listens there:
every wait has a deadline and every line a longest length.
"""

import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from station.errors import ConfigError, NoAccess, NoEngine, OtherProtocol
from station.socket_file import MAX_PATH_BYTES
from station.wire import (
    PROTOCOL,
    Answer,
    Command,
    Hello,
    Message,
    Refusal,
    command_line,
    parse_message,
)
from station.wire.messages import MAX_MESSAGE_BYTES

HELLO_S = 5.0
ANSWER_S = 30.0
"""The engine tells of a database that takes its time before that."""

_READ_BYTES = 64 << 10


class Refused(Exception):
    """The engine did not carry out the command, and says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.cause)
        self.refusal = refusal


@dataclass(slots=True)
class Call:
    """Made by `call`. `pid`: the engine's process; 0 if it cannot be seen from here. `ended`: the
    engine left, or we `hung_up`."""

    path: Path
    _socket: socket.socket
    hello: Hello = field(init=False)
    pid: int = field(init=False)
    ended: bool = False
    hung_up: bool = False
    _buffer: bytearray = field(default_factory=bytearray)
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.pid = _pid(self._socket)
        self.hello = _checked(self.next(HELLO_S), self.path)

    def ask(self, command: Command, timeout_s: float = ANSWER_S) -> dict[str, Any]:
        """The answer's data. Raises Refused, NoEngine (also: no answer in time), OtherProtocol."""
        deadline_s = time.monotonic() + timeout_s
        command_id = str(next(self._ids))
        with suppress(BrokenPipeError):  # what it said before it left is still to be read
            self._send(command_line(command.model_copy(update={"id": command_id})), deadline_s)
        while True:
            message = self._next(deadline_s)
            if not isinstance(message, Answer) or message.id not in (None, command_id):
                continue
            if message.refused is not None:
                raise Refused(message.refused)
            return message.data

    def next(self, timeout_s: float) -> Message:
        """What the engine says next. Raises NoEngine if that is nothing, OtherProtocol."""
        return self._next(time.monotonic() + timeout_s)

    def hang_up(self) -> None:
        """Nothing is said any more: whoever waits for the engine gets NoEngine. From any place."""
        self.hung_up = True
        with suppress(OSError):  # it left first
            self._socket.shutdown(socket.SHUT_RDWR)

    def _next(self, deadline_s: float) -> Message:
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > MAX_MESSAGE_BYTES:
                raise OtherProtocol(f"{self.path} sent a line without an end")
            self._buffer += self._more(deadline_s)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return parse_message(line)

    def _more(self, deadline_s: float) -> bytes:
        try:
            self._socket.settimeout(self._left_s(deadline_s))
            data = self._socket.recv(_READ_BYTES)
        except OSError as error:
            raise self._lost(error) from error
        if not data:
            self.ended = True
            raise NoEngine(f"the engine at {self.path} ended the connection")
        return data

    def _send(self, data: bytes, deadline_s: float) -> None:
        try:
            self._socket.settimeout(self._left_s(deadline_s))
            self._socket.sendall(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._lost(error) from error

    def _left_s(self, deadline_s: float) -> float:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s

    def _lost(self, error: OSError) -> NoEngine:
        if isinstance(error, TimeoutError):
            return NoEngine(f"the engine at {self.path} did not answer in time")
        return NoEngine(f"the engine at {self.path} is lost: {error.strerror}")


@contextmanager
def call(path: Path) -> Iterator[Call]:
    """Connect and hear the engine's hello.

    Raises NoEngine, NoAccess, OtherProtocol, ConfigError for a path no socket can have.
    """
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise ConfigError(f"the socket's path {path} is longer than {MAX_PATH_BYTES} bytes")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as line:
        line.settimeout(HELLO_S)
        try:
            line.connect(os.fsencode(path))
        except PermissionError as error:
            raise NoAccess(f"this user may not use {path}") from error
        except FileNotFoundError as error:
            raise NoEngine(f"there is no socket at {path}") from error
        except OSError as error:
            raise NoEngine(f"nobody answers at {path}: {error.strerror or error}") from error
        yield Call(path, line)


def is_answered(path: Path) -> bool:
    """An engine serves this socket. Raises NoAccess, OtherProtocol, ConfigError."""
    try:
        with call(path):
            return True
    except NoEngine:
        return False


def _checked(hello: Message, path: Path) -> Hello:
    if not isinstance(hello, Hello):
        raise OtherProtocol(f"{path} does not begin with a hello")
    if hello.protocol != PROTOCOL:
        raise OtherProtocol(
            f"the engine speaks version {hello.protocol} of the protocol, this software {PROTOCOL}"
        )
    return hello


def _pid(line: socket.socket) -> int:
    """Who listens, as the kernel says."""
    credentials = struct.Struct("iII")
    raw = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, credentials.size)
    pid, _, _ = credentials.unpack(raw)
    return int(pid)
