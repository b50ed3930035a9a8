"""A screen that nobody looks at: `station dash` on a terminal that is read and thrown away."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.commands.test_cli import environment

COLUMNS, ROWS = 160, 48
START_S = 30.0

_FRAME_BEGINS = b"\x1b[?2026h"
_ASKS_FOR_FRAMES = b"\x1b[?2026$p"
_KNOWS_FRAMES = b"\x1b[?2026;2$y"


@dataclass(slots=True)
class Screen:
    """`station dash`, looked at by nobody."""

    process: subprocess.Popen[bytes]
    terminal: int
    frames: int = 0
    written_bytes: int = 0

    @property
    def cpu_s(self) -> float:
        return cpu_s(self.process.pid)

    def read(self) -> None:
        """Be a terminal that knows where a frame begins, until the screen is gone."""
        tail = b""
        while True:
            try:
                data = os.read(self.terminal, 64 << 10)
            except OSError:
                return
            seen = tail + data
            if _ASKS_FOR_FRAMES in seen:
                os.write(self.terminal, _KNOWS_FRAMES)
            self.frames += seen.count(_FRAME_BEGINS)
            self.written_bytes += len(data)
            tail = seen[-7:]  # a byte less than what is counted

    def until_drawn(self) -> None:
        """Wait until it shows what the engine says; its first frames are without data."""
        deadline_s = time.monotonic() + START_S
        while self.frames < 10:
            assert self.process.poll() is None, "the screen ended by itself"
            assert time.monotonic() < deadline_s, "the screen draws nothing"
            time.sleep(0.1)  # another thread counts the frames; a look under a deadline


@contextmanager
def screen(config: Path) -> Iterator[Screen]:
    """A screen on the engine of this line, until the context ends."""
    terminal, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "station", "dash", "--config", str(config)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=environment() | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
    )
    os.close(theirs)
    shown = Screen(process, terminal)
    reader = threading.Thread(target=shown.read)
    reader.start()
    try:
        yield shown
    finally:
        process.kill()
        process.wait()
        reader.join()
        os.close(terminal)


def cpu_s(pid: int) -> float:
    """User and system time of a process and all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
