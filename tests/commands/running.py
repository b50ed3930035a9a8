"""Engines over simulated modules in processes of their own, as people and systemd start them.

Nothing here waits for ever: a process that a test did not end in time is killed.
"""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from station.commands.call import call
from station.dashboard.picture import Picture
from station.errors import NoEngine
from station.live import SlotState
from station.wire import Watch
from tests.commands.test_cli import environment, station
from tests.demo_line import demo_line
from tests.own_ports import own_ports

DEADLINE_S = 90.0
RECIPE = "ec25-demo"
SEED = 7
"""Of every first tray: who is in it can be known before."""


def files(folder: Path, slots: int) -> Path:
    """The settings of a line with small packages, on ports that no other test has."""
    names = [f"A{number}" for number in range(1, slots + 1)]
    config = demo_line(folder, names, size_mb=2)
    places = {name: {"ports": own_ports(number)} for number, name in enumerate(names, start=1)}
    settings = yaml.safe_load(config.read_text()) | {"slots": places}
    config.write_text(yaml.safe_dump(settings, sort_keys=False))
    return config


@contextmanager
def process(
    *arguments: str | Path, deadline_s: float = DEADLINE_S, within: Sequence[str] = ()
) -> Iterator[subprocess.Popen[str]]:
    """`station ARGUMENTS` in the background; killed at the end, or when it takes too long.
    `within`: a command that becomes the one behind it."""
    command = [*within, sys.executable, "-m", "station", *map(str, arguments)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    ) as started:
        last_resort = threading.Timer(deadline_s, started.kill)
        last_resort.start()
        try:
            yield started
        finally:
            last_resort.cancel()
            started.kill()


def said(started: subprocess.Popen[str], word: str) -> str:
    """Read its narration until a line has this word. Fails if it ends before."""
    assert started.stderr is not None
    heard = ""
    for line in started.stderr:
        heard += line
        if word in line:
            return heard
    raise AssertionError(f"it never said {word!r}: {heard}")


@dataclass(slots=True)
class Engine:
    config: Path
    process: subprocess.Popen[str]

    def line(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return station("line", *arguments, "--config", self.config, cwd=self.config.parent)

    def sim(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return station("sim", *arguments, "--config", self.config, cwd=self.config.parent)

    def arm(self, *more: str) -> None:
        done = self.line("arm", "--recipe", RECIPE, *more)
        assert done.returncode == 0, done.stderr

    def until(self, true: Callable[[Picture], bool]) -> Picture:
        """Watch until this is so."""
        return until(self.config.with_name("station.sock"), true)

    def see(self, slot: str, *states: SlotState) -> Picture:
        return self.until(lambda picture: picture.slots[slot].state in states)

    def end(self, number: signal.Signals = signal.SIGTERM, code: int = 0) -> str:
        """Send a signal, wait for the end; what it said. Fails unless it ends with this code."""
        self.process.send_signal(number)
        assert self.process.stderr is not None
        words = self.process.stderr.read()
        assert self.process.wait(DEADLINE_S) == code, words
        return words


def until(socket: Path, true: Callable[[Picture], bool]) -> Picture:
    """Watch the engine at this socket until this is so."""
    picture = Picture()
    deadline_s = time.monotonic() + DEADLINE_S
    try:
        with call(socket) as engine:
            engine.ask(Watch())
            while picture.line is None or not true(picture):
                picture.take(engine.next(deadline_s - time.monotonic()), 0)
    except NoEngine as error:
        raise AssertionError(f"{error}; last seen: {picture.slots}") from error
    return picture


@contextmanager
def engine(
    config: Path, *options: str, deadline_s: float = DEADLINE_S, within: Sequence[str] = ()
) -> Iterator[Engine]:
    """`station sim serve`, ready."""
    command = ["sim", "serve", "--config", str(config), "--seed", str(SEED), *options]
    with process(*command, deadline_s=deadline_s, within=within) as started:
        said(started, "serving")
        yield Engine(config, started)


def end_engines(folder: Path) -> None:
    """Whatever the test did, no engine in this folder outlives it."""
    for socket in folder.rglob("station.sock"):
        config = socket.with_name("station.yaml")
        station("line", "stop", "--now", "--wait", "--config", config, cwd=folder)


def is_written(picture: Picture) -> bool:
    """The module in A1 is neither what it was nor what it shall be."""
    return picture.slots["A1"].step == "program" and picture.slots["A1"].done_bytes > 0


def records(config: Path, *question: str) -> list[dict[str, Any]]:
    """What the record has: attempts, or with `events` what people did."""
    question = question or ("find", "--since", "1d")
    found = station("audit", *question, "--json", "--config", config, cwd=config.parent)
    assert found.returncode == 0, found.stderr
    return [json.loads(line) for line in found.stdout.splitlines()]


def verdict_of(config: Path, slot: str) -> tuple[str, str | None]:
    """Outcome and failure code of the only attempt on a slot."""
    (attempt,) = records(config, "find", "--slot", slot)
    failure = attempt["failure"]
    return attempt["outcome"], failure and failure["code"]
