"""`station sim usbip plug|unplug|power|...`: what a person does to a rehearsal that runs."""

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import platformdirs

from station.commands.exits import Exit, leave, say, show
from station.errors import ConfigError, NoAccess, NoRehearsal, OtherProtocol
from station.socket_file import MAX_PATH_BYTES

ANSWER_S = 60.0
"""A dump of a full flash is hashed and written in this time."""

MAX_ANSWER_BYTES = 1 << 20
_CONNECT_S = 5.0
_READ_BYTES = 64 << 10


def default_control() -> Path:
    """Where a rehearsal listens unless told otherwise."""
    folder = Path("/run") if os.geteuid() == 0 else Path(platformdirs.user_runtime_dir())
    return folder / "station-sim.sock"


def command(path: Path | None, do: str, **more: str | None) -> None:
    """Ask and show the answer's data as JSON, if there is any; a refusal ends in exit code 1."""
    answer = ask(path or default_control(), do, **more)
    if answer.get("ok") is not True:
        say(f"{answer.get('code')}: {answer.get('cause')}\n  -> {answer.get('remedy')}")
        leave(Exit.VERDICT)
    if answer.get("data") is not None:
        show(json.dumps(answer["data"], indent=2))


def ask(path: Path, do: str, **more: str | None) -> dict[str, Any]:
    """One question and its answer. Raises NoRehearsal, NoAccess, OtherProtocol, ConfigError."""
    request = {"do": do, **{name: value for name, value in more.items() if value is not None}}
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise ConfigError(f"the socket's path {path} is longer than {MAX_PATH_BYTES} bytes")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as line:
        try:
            line.settimeout(_CONNECT_S)
            line.connect(os.fsencode(path))
            line.sendall(json.dumps(request).encode() + b"\n")
            heard = _line(line, time.monotonic() + ANSWER_S)
        except PermissionError as error:
            raise NoAccess(f"this user may not use {path}") from error
        except OSError as error:
            raise NoRehearsal(f"nobody answers at {path}: {error.strerror or error}") from error
    try:
        answer = json.loads(heard)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise OtherProtocol(f"{path} does not answer as a rehearsal does")
    return answer


def is_answered(path: Path) -> bool:
    """A rehearsal serves this socket. Raises NoAccess, OtherProtocol, ConfigError."""
    try:
        ask(path, "status")
    except NoRehearsal:
        return False
    return True


def _line(line: socket.socket, deadline_s: float) -> bytes:
    heard = bytearray()
    while b"\n" not in heard:
        line.settimeout(max(0.001, deadline_s - time.monotonic()))
        data = line.recv(_READ_BYTES)
        if not data or len(heard) > MAX_ANSWER_BYTES:
            raise OtherProtocol("the answer to a question has no end")
        heard += data
    return bytes(heard)
