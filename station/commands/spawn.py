"""Starts an engine that outlives this terminal, and waits until it serves.

The engine says READY=1 as it would to systemd; here we are the one who listens.
"""

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import station
from station.commands.exits import Exit, leave, say
from station.engine.feed import plain
from station.errors import DiskTrouble

READY_S = 30.0
END_S = 10.0
TAIL_BYTES = 4096


def spawn(arguments: Sequence[str], socket_path: Path) -> None:
    """Start `station ARGUMENTS` in a session of its own; what it says goes to a log beside its
    socket. Returns when it is ready; if that does not happen, leaves with the end of the log.

    Raises DiskTrouble if it cannot even be started.
    """
    log_path = socket_path.with_name(f"{socket_path.name}.log")
    try:
        socket_path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        with ExitStack() as held:
            log = os.open(log_path, flags, 0o640)
            held.callback(os.close, log)
            before = os.fstat(log).st_size
            engine = _start(arguments, log, held)
            if engine is None:
                return
            tail_at = max(before, os.fstat(log).st_size - TAIL_BYTES)
            said = os.pread(log, TAIL_BYTES, tail_at).decode(errors="replace")
    except OSError as error:
        place = error.filename or log_path
        raise DiskTrouble(
            f"no engine can be started: {place}: {error.strerror or error}"
        ) from error
    say(f"the engine did not start (exit code {engine.returncode}); it said:")
    for line in said.splitlines():
        say(f"  {plain(line)}")
    say(f"all it said is in {log_path}")
    leave(Exit.STATION)


def _start(arguments: Sequence[str], log: int, held: ExitStack) -> subprocess.Popen[bytes] | None:
    """None: it is ready. Otherwise the process, which has ended."""
    folder = held.enter_context(TemporaryDirectory(prefix="station-"))
    ear = held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    ear.bind(f"{folder}/ready")
    engine = subprocess.Popen(  # noqa: S603 - our own command line
        [sys.executable, "-P", "-m", "station", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        cwd="/",  # nothing there is imported, and no mount is kept busy
        env=os.environ | {"NOTIFY_SOCKET": f"{folder}/ready", "PYTHONPATH": _python_path()},
    )
    process = os.pidfd_open(engine.pid)
    held.callback(os.close, process)
    if _is_ready(ear, process):
        return None
    _end(engine)
    return engine


def _python_path() -> str:
    """This very software first, wherever the terminal stands."""
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    ours = Path(station.__file__).absolute().parents[1]
    return os.pathsep.join([str(ours), *(str(Path(p).absolute()) for p in others if p)])


def _is_ready(ear: socket.socket, process: int) -> bool:
    """False if the process ended, or said nothing in time."""
    deadline_s = time.monotonic() + READY_S
    poll = select.poll()
    poll.register(ear, select.POLLIN)
    poll.register(process, select.POLLIN)
    while (left_s := deadline_s - time.monotonic()) > 0:
        heard = [number for number, _ in poll.poll(left_s * 1000)]
        if ear.fileno() in heard:
            if b"READY=1" in ear.recv(4096).split(b"\n"):
                return True
        elif heard:
            return False
    return False


def _end(engine: subprocess.Popen[bytes]) -> None:
    """An engine that is not ready has begun nothing."""
    engine.terminate()
    try:
        engine.wait(END_S)
    except subprocess.TimeoutExpired:
        engine.kill()
        engine.wait(END_S)
