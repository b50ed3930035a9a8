"""A terminal that a test sits at: `station` on a pseudo-terminal, keys in, screen out."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.commands.test_cli import environment

DEADLINE_S = 60.0
SCREEN_ON, SCREEN_OFF = "\x1b[?1049h", "\x1b[?1049l"
"""A full-screen program takes the terminal, and gives it back."""


class Terminal:
    """Made by `terminal`."""

    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._master = master
        self._shown = ""

    def see(self, text: str) -> str:
        """Read until this was shown, return what came before it. Fails if it does not come."""
        deadline_s = time.monotonic() + DEADLINE_S
        while text not in self._shown:
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"never saw {text!r} in {self._shown[-2000:]!r}"
            more = self._read(left_s)
            assert more is not None, f"ended without {text!r}: {self._shown[-2000:]!r}"
            self._shown += more
        before, _, self._shown = self._shown.partition(text)
        return before

    def see_screen(self) -> str:
        """Read until the dashboard shows its keys; what was said before it came."""
        before = self.see(SCREEN_ON)
        self.see("leave")
        return before

    @property
    def echoes(self) -> bool:
        """The terminal shows what is typed, as a shell expects it."""
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def rest(self) -> str:
        """All that is shown until the process has ended."""
        deadline_s = time.monotonic() + DEADLINE_S
        while (more := self._read(deadline_s - time.monotonic())) is not None:
            self._shown += more
        self.process.wait(DEADLINE_S)
        return self._shown

    def leave(self) -> str:
        """Leave the screen as a person does; what is said afterwards."""
        self.press("q")
        self.see("Leave")
        self.press("y")
        self.see(SCREEN_OFF)
        return self.rest()

    def _read(self, timeout_s: float) -> str | None:
        """What is shown next; None: nobody is at the other end any more."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, timeout_s))
        if not ready:
            raise AssertionError(f"nothing more is shown: {self._shown[-2000:]!r}")
        try:
            return os.read(self._master, 1 << 16).decode(errors="replace") or None
        except OSError:  # as Linux says that the other end is closed
            return None


@contextmanager
def terminal(
    *arguments: str | Path, cwd: Path, program: tuple[str, str] = ("-m", "station")
) -> Iterator[Terminal]:
    """`station ARGUMENTS` at a terminal of 120 by 40; killed at the end. `program`: what Python
    runs instead."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    with subprocess.Popen(
        [sys.executable, *program, *map(str, arguments)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=cwd,
        env=environment() | {"TERM": "xterm-256color"},
        start_new_session=True,
    ) as process:
        os.close(slave)
        try:
            yield Terminal(master, process)
        finally:
            process.kill()
            os.close(master)
