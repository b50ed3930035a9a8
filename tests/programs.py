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
_BEGINS_S = 60.0
_BROKE = 70
_UNFLUSHED = 120
"""As Python ends when it cannot write what it has still to say."""


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
        try:
            socket.send_fds(template(main), [json.dumps(request).encode()], streams)
        except OSError:
            ours.close()
            raise
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
        end.settimeout(_BEGINS_S)
        begun = end.recv(64)
        if not begun:
            end.close()
            raise ChildProcessError("nobody began it: its template is gone")
        self.pid = int(begun)
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
            told = self._end.recv(64)
            if not told:  # who waits for it was killed
                with suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
            self._code = int(told or -signal.SIGKILL)
            self._end.close()  # until now it is there, so that no signal goes to another
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
    try:
        gc.freeze()  # a collection in a copy would write to, and so copy, all of this memory
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for who waits for a copy
        while True:
            request, streams, flags, _ = socket.recv_fds(line, _REQUEST_BYTES, 3)
            if not request:
                break
            if os.fork() == 0:
                line.close()
                _see_through(main, request, streams, flags)
            for descriptor in streams:
                os.close(descriptor)
    finally:
        os._exit(0)


def _see_through(
    main: Callable[[], None], request: bytes, streams: list[int], flags: int
) -> NoReturn:
    """Begin a copy, wait for it, tell how it ended; it is there until that was heard."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise ValueError("a request that is too long")
        out, err, end = streams
        arguments, folder, environment = json.loads(request)
        pid = os.fork()
        if pid == 0:
            try:
                _become(main, arguments, folder, environment, out, err)
            finally:
                os._exit(_BROKE)
        os.dup2(end, 0)
        os.closerange(1, 1024)
        with suppress(OSError), socket.socket(fileno=0) as told:
            told.send(b"%d" % pid)
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            assert ended is not None
            by_itself = ended.si_code == os.CLD_EXITED
            told.send(b"%d" % (ended.si_status if by_itself else -ended.si_status))
            told.recv(1)
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
        sys.stdin, sys.stdout = (
            open(number, mode, closefd=False)  # noqa: SIM115 - as long as the process
            for number, mode in enumerate("rw")
        )
        sys.stderr = open(2, "w", closefd=False, errors="backslashreplace")  # noqa: SIM115 - as well
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = ["station", *arguments]
        main()
        code = 0
    except SystemExit as end:
        code = end.code or 0
        if not isinstance(code, int):
            sys.stderr.write(f"{code}\n")
    except BaseException:  # noqa: BLE001 - a copy must not run on as a second template
        traceback.print_exc()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        code = _UNFLUSHED
    os._exit(code if isinstance(code, int) else 1)
