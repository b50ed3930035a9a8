"""The station's commands as processes of their own: begun as a user begins them, or forked.

Python and its imports take most of a second to begin, in a guest ten. So a process that has
imported the station and done nothing else waits from the start, before there are threads or a
libusb; a forked command is a copy of it that becomes `station ARGUMENTS`, with folder, environment,
exit code, streams and signals of its own.
"""

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NoReturn, Protocol, TextIO

from station import cli

gc.disable()
for _module in set(cli.MODULES.values()):
    import_module(_module)
gc.enable()

STATION = (sys.executable, "-m", "station")

_REQUEST_BYTES = 1 << 17
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
    arguments: Sequence[str],
    out: TextIO,
    err: TextIO,
    main: Callable[[], None] = cli.main,
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> "Forked":
    """The same without the imports; or another program that finds its arguments in sys.argv."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    request = [list(arguments), str(cwd or Path.cwd()), dict(environment)]
    with theirs:
        streams = [out.fileno(), err.fileno(), theirs.fileno()]
        socket.send_fds(template(main), [json.dumps(request).encode()], streams)
    return Forked(ours)


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
    """The few methods of `subprocess.Popen` that are asked for. `end`: where a process that waits
    for it tells its pid, and later its exit code."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self.pid = int(end.recv(64))
        self._code: int | None = None

    def send_signal(self, sig: int, /) -> None:
        if not self._has_ended(0):
            os.kill(self.pid, sig)

    def wait(self, timeout: float) -> int:
        """Its exit code, negative for a signal. Raises TimeoutError."""
        if not self._has_ended(timeout) or self._code is None:
            raise TimeoutError(f"process {self.pid} did not end within {timeout:g} s")
        return self._code

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
        self.wait(10)

    def _has_ended(self, within_s: float) -> bool:
        if self._code is None and select.select([self._end], [], [], within_s)[0]:
            self._code = int(self._end.recv(64))
            self._end.close()
        return self._code is not None


def template(main: Callable[[], None] = cli.main) -> socket.socket:
    """The line to the process that is copied; called early, while this process has one thread."""
    return _template(main)


@cache
def _template(main: Callable[[], None]) -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        _copy_for(theirs, main)
    theirs.close()
    return ours


def _copy_for(line: socket.socket, main: Callable[[], None]) -> NoReturn:
    """A copy for each request, until nobody asks any more."""
    gc.freeze()  # a collection in a copy would write to, and so copy, all of this memory
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who waits for a copy is waited for by nobody
    while True:
        request, streams, _, _ = socket.recv_fds(line, _REQUEST_BYTES, 3)
        if not request:
            os._exit(0)
        if os.fork() == 0:
            _see_through(main, request, *streams)
        for descriptor in streams:
            os.close(descriptor)


def _see_through(
    main: Callable[[], None], request: bytes, out: int, err: int, end: int
) -> NoReturn:
    """Begin a copy, wait for it, tell how it ended."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        pid = os.fork()
        if pid == 0:
            arguments, folder, environment = json.loads(request)
            _become(main, arguments, folder, environment, out, err)
        os.close(out)
        os.close(err)
        with suppress(OSError), socket.socket(fileno=end) as told:
            told.send(b"%d" % pid)
            told.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    finally:
        os._exit(0)


def _become(
    main: Callable[[], None],
    arguments: list[str],
    folder: str,
    environment: dict[str, str],
    out: int,
    err: int,
) -> NoReturn:
    """`main` with these arguments and streams, there."""
    code: object = _BROKE
    try:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
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
