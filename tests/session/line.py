"""The line of a story: its folder, its engine, and the terminal that shows it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from station.commands.call import call
from station.live import SlotView
from station.wire import Hands
from tests.commands.test_cli import environment, station
from tests.session.terminal import COLUMNS, ROWS, NotSeen, Pane, Tmux, Window

_SLOTS: TypeAdapter[tuple[SlotView, ...]] = TypeAdapter(tuple[SlotView, ...])


@dataclass(slots=True)
class Line:
    """Made by `line_of`. `keep`: where what was seen is written to."""

    folder: Path
    server: Tmux
    speed: float
    keep: Path | None
    screen: Window = field(init=False)
    """The terminal that people look at."""
    console: Window = field(init=False)
    """The terminal an engine was started on by hand."""
    _engines: list[int] = field(default_factory=list)
    _kept: int = 0

    @property
    def config(self) -> Path:
        return self.folder / "station.yaml"

    @property
    def socket(self) -> Path:
        return self.folder / "station.sock"

    # --- programs -----------------------------------------------------------------------------

    def start(self, *arguments: str) -> Window:
        """`station ARGUMENTS` on a terminal of its own, which has all colours."""
        program = [sys.executable, "-m", "station", *arguments]
        return self.server.open(program, environment() | {"COLORTERM": "truecolor"})

    def station(self, *arguments: str) -> str:
        """A command without a screen; what it says on stdout. Fails unless it ends well."""
        done = self.run(*arguments)
        if done.returncode:
            raise NotSeen(
                f"station {' '.join(arguments)} ended with {done.returncode}", done.stderr
            )
        return done.stdout

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return station(*arguments, "--config", self.config, cwd=self.folder)

    def slots(self) -> dict[str, SlotView]:
        """What `station line status --json` says of the slots."""
        said = json.loads(self.station("line", "status", "--json"))
        return {view.slot: view for view in _SLOTS.validate_python(said["slots"])}

    def hands(self, command: Hands) -> None:
        """What hands do, at once."""
        with call(self.socket) as engine:
            engine.ask(command)

    # --- the engine ---------------------------------------------------------------------------

    def engine(self) -> int:
        """The process of the engine that answers; ended with the story whatever happens."""
        with call(self.socket) as engine:
            self._engines.append(os.pidfd_open(engine.pid))
            return engine.pid

    def kill_engine(self) -> None:
        """As a power cut does."""
        self.engine()
        signal.pidfd_send_signal(self._engines[-1], signal.SIGKILL)

    def end(self) -> None:
        """Nothing of this line runs any more."""
        with suppress(Exception):  # whatever became of it: the rest is to be ended, too
            self.engine()
        for process in self._engines:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, signal.SIGKILL)
            os.close(process)

    # --- what was seen ------------------------------------------------------------------------

    def save(self, name: str, pane: Pane | None = None) -> None:
        """Keep what stands on the screen for people to look at."""
        if self.keep is None:
            return
        self._kept += 1
        seen = pane or self.screen.pane()
        path = self.keep / f"{self._kept:02}-{name}"
        path.with_suffix(".txt").write_text(f"{seen.text}\n", encoding="utf-8")
        path.with_suffix(".ansi").write_text(f"{seen.coloured}\n", encoding="utf-8")

    @contextmanager
    def resized(self, columns: int, rows: int) -> Iterator[None]:
        """The screen in another size for a while."""
        self.screen.resize(columns, rows)
        yield
        self.screen.resize(COLUMNS, ROWS)


@contextmanager
def line_of(folder: Path, server: Tmux, speed: float, keep: Path | None) -> Iterator[Line]:
    """A line in this folder; its engine ends with it."""
    line = Line(folder, server, speed, keep)
    try:
        yield line
    finally:
        line.end()
