"""Terminals that nobody looks at: tmux with a server of its own, each program in a window."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COLUMNS, ROWS = 120, 40
_TELL = r""""$@"; printf '\r\nended with %s \r\n' "$?"; exec sleep infinity"""
"""Runs a program and writes below what it showed how it ended."""
_ENDED = re.compile(r"^ended with (\d+)(?!\d)", re.MULTILINE)
LOOK_S = 0.05
"""How often a terminal is looked at while something is waited for."""
TMUX_S = 20.0
SOON_S = 8.0
"""What a person waits for before they press the key again or call somebody."""


class NotSeen(Exception):
    """What was waited for did not come in time. `pane`: what stood there instead."""

    def __init__(self, what: str, pane: str) -> None:
        super().__init__(what)
        self.what = what
        self.pane = pane


@dataclass(frozen=True, slots=True)
class Pane:
    """What stands on a terminal: its text, and the same with colours as escape sequences."""

    text: str
    coloured: str

    def __contains__(self, word: str) -> bool:
        return word in self.text

    @property
    def end(self) -> int | None:
        """The exit code of the program, as a shell has it: 128 and the signal that killed it."""
        found = _ENDED.search(self.text)
        return int(found[1]) if found else None

    @property
    def lines(self) -> list[str]:
        return self.text.split("\n")


def expect(true: bool, what: str, pane: Pane | None = None) -> None:
    """Raises NotSeen with `what` in words."""
    if not true:
        raise NotSeen(what, pane.text if pane else "")


@dataclass(frozen=True, slots=True)
class Window:
    """A terminal with one program. Keys in, text out."""

    server: "Tmux"
    id: str

    def press(self, *keys: str) -> None:
        """Keys as tmux names them: `a`, `Enter`, `Escape`, `Up`."""
        self.server.do("send-keys", "-t", self.id, *keys)

    def type(self, text: str) -> None:
        self.server.do("send-keys", "-t", self.id, "-l", text)

    def scan(self, text: str) -> None:
        """All at once and Enter, as a scanner does."""
        target = ("-t", self.id)
        self.server.do("send-keys", *target, "-l", text, ";", "send-keys", *target, "Enter")

    def resize(self, columns: int, rows: int) -> None:
        self.server.do("resize-window", "-t", self.id, "-x", str(columns), "-y", str(rows))

    def pane(self) -> Pane:
        """What stands there now, text and colours of the same moment."""
        look = ("capture-pane", "-t", self.id, "-p")
        lines = self.server.do(*look, ";", *look, "-eN").removesuffix("\n").split("\n")
        rows = len(lines) // 2
        return Pane("\n".join(map(str.rstrip, lines[:rows])), "\n".join(lines[rows:]))

    def until(
        self,
        what: str,
        true: Callable[[Pane], bool],
        within_s: float = 60.0,
    ) -> Pane:
        """Look until this is so, on a screen that is drawn to its end: twice the same. Raises
        NotSeen with `what` in words."""
        deadline_s = time.monotonic() + within_s
        before = None
        while True:
            pane = self.pane()
            is_so = true(pane)
            if is_so and pane == before:
                return pane
            if not is_so and pane.end is not None:
                raise NotSeen(f"the program ended before {what}", pane.text)
            if time.monotonic() > deadline_s:
                raise NotSeen(f"not within {within_s:.0f} s: {what}", pane.text)
            before = pane
            time.sleep(LOOK_S)

    def step(self, key: str, within_s: float = 10.0) -> None:
        """Press a key and wait until the screen has changed by it: a person looks, too."""
        before = self.pane().coloured
        self.press(key)
        self.until(
            f"{key} changes the screen",
            lambda pane: pane.coloured != before and pane.end is None,
            within_s,
        )

    def see(self, *words: str, within_s: float = 60.0) -> Pane:
        """Look until all these words stand there."""
        told = " and ".join(map(repr, words))
        return self.until(told, lambda pane: all(word in pane for word in words), within_s)

    def ended(self, within_s: float = 60.0) -> int:
        """Wait until the program has ended; see `Pane.end`."""
        end = self.until("its end", lambda pane: pane.end is not None, within_s).end
        assert end is not None
        return end

    @property
    def pid(self) -> int:
        """The process of the program."""
        shell = self._ask("pane_pid")
        (child,) = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        return int(child)

    def _ask(self, name: str) -> str:
        return self.server.do("display-message", "-p", "-t", self.id, f"#{{{name}}}").strip()


@dataclass(frozen=True, slots=True)
class Tmux:
    """Made by `tmux`."""

    socket: Path
    folder: Path

    def do(self, *command: str) -> str:
        """A command of tmux; what it says."""
        done = subprocess.run(
            ["tmux", "-u", "-S", str(self.socket), "-f", "/dev/null", *command],
            capture_output=True,
            text=True,
            timeout=TMUX_S,
            check=False,
        )
        if done.returncode:
            raise NotSeen(f"tmux {command[0]}: {done.stderr.strip()}", "")
        return done.stdout

    def open(self, program: Sequence[str], environment: dict[str, str]) -> Window:
        """A program in a window of its own, which stays open when the program has ended."""
        given = [f"-e{name}={value}" for name, value in environment.items()]
        place = ("-P", "-F", "#{pane_id}", "-c", str(self.folder))
        found = self.do("new-window", "-d", *place, *given, "--", "sh", "-c", _TELL, "sh", *program)
        return Window(self, found.strip())


@contextmanager
def tmux(socket: Path, folder: Path) -> Iterator[Tmux]:
    """A server that starts programs in `folder` and ends with everything in it."""
    server = Tmux(socket, folder)
    try:
        # Its first window stays open: a server without one ends by itself.
        server.do(
            *("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), "sleep infinity"),
            *(";", "set", "-g", "default-terminal", "tmux-256color"),
            *(";", "set", "-g", "default-size", f"{COLUMNS}x{ROWS}"),
        )
        yield server
    finally:
        subprocess.run(
            ["tmux", "-S", str(socket), "kill-server"],
            capture_output=True,
            timeout=TMUX_S,
            check=False,
        )
