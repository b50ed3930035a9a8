"""The station's commands as processes of their own: begun as a user begins them, or forked.

Python and its imports take ten seconds to begin here. So a process that has imported the station
and done nothing else waits from the start, before there are threads or a libusb; a forked command
is a copy of it that becomes `station ARGUMENTS`, with exit code, streams and signals of its own.
"""

import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import NoReturn, Protocol, TextIO

from station import cli

for _module in set(cli.MODULES.values()):
    import_module(_module)

STATION = (sys.executable, "-m", "station")

_SET_CHILD_SUBREAPER = 36
_BROKE = 70


class Program(Protocol):
    """What is asked of a process that runs."""

    @property
    def pid(self) -> int: ...

    def send_signal(self, sig: int, /) -> None: ...

    def wait(self, timeout: float) -> int: ...

    def kill(self) -> None: ...


class Begin(Protocol):
    def __call__(self, arguments: Sequence[str], out: TextIO, err: TextIO) -> Program: ...


def begun(arguments: Sequence[str], out: TextIO, err: TextIO) -> Program:
    """As a user begins it."""
    return subprocess.Popen([*STATION, *arguments], stdout=out, stderr=err)


def forked(
    arguments: Sequence[str], out: TextIO, err: TextIO, main: Callable[[], None] = cli.main
) -> "Forked":
    """The same without the ten seconds; or another program that finds its arguments in sys.argv."""
    line = template(main)
    socket.send_fds(line, [json.dumps(arguments).encode()], [out.fileno(), err.fileno()])
    return Forked(int(line.recv(64)))


def ran(
    *arguments: str, limit_s: float, begin: Begin = forked
) -> "subprocess.CompletedProcess[str]":
    """From begin to end. Raises TimeoutError or subprocess.TimeoutExpired."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        program = begin(arguments, out, err)
        try:
            code = program.wait(limit_s)
        finally:
            program.kill()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(arguments, code, out.read(), err.read())


class Forked:
    """A child of this process, with the few methods of `subprocess.Popen` that are asked for."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._ended = os.pidfd_open(pid)
        self._code: int | None = None

    def send_signal(self, sig: int, /) -> None:
        if self._code is None:
            os.kill(self.pid, sig)

    def wait(self, timeout: float) -> int:
        """Its exit code, negative for a signal. Raises TimeoutError."""
        if self._code is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise TimeoutError(f"process {self.pid} did not end within {timeout:g} s")
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            os.close(self._ended)
        return self._code

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
        self.wait(10)


def template(main: Callable[[], None] = cli.main) -> socket.socket:
    """The line to the process that is copied; called early, while this process has one thread."""
    return _template(main)


@cache
def _template(main: Callable[[], None]) -> socket.socket:
    # Whose parents are gone is this process's child: it can wait for it.
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        _copy_for(theirs, main)
    theirs.close()
    return ours


def _copy_for(line: socket.socket, main: Callable[[], None]) -> NoReturn:
    """A copy for each request, until nobody asks any more."""
    while True:
        request, streams, _, _ = socket.recv_fds(line, 1 << 16, 2)
        if not request:
            os._exit(0)
        told, tell = os.pipe()
        parent = os.fork()
        if parent == 0:
            pid = os.fork()
            if pid == 0:
                _become(main, json.loads(request), *streams)
            os.write(tell, b"%d" % pid)
            os._exit(0)
        os.waitpid(parent, 0)
        line.send(os.read(told, 64))
        for descriptor in (told, tell, *streams):
            os.close(descriptor)


def _become(main: Callable[[], None], arguments: list[str], out: int, err: int) -> NoReturn:
    """`main` with these arguments and streams."""
    code: object = _BROKE
    try:
        for number, stream in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
            os.dup2(stream, number)
        os.closerange(3, 1024)
        sys.stdin, sys.stdout, sys.stderr = (
            open(number, mode, closefd=False)  # noqa: SIM115 - as long as the process
            for number, mode in enumerate("rww")
        )
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = ["station", *arguments]
        main()
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:  # noqa: BLE001 - a copy must not run on as a second template
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)
