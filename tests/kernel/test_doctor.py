"""`station doctor` on a real kernel, with a module that a program holds."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from station.commands.checks.ground import Ground
from station.commands.checks.ttys import ttys
from station.config import load_families, load_settings
from station.transport.topology import read_topology
from station.transport.tty_holders import TtyHolders
from tests.kernel.kernel import until
from tests.kernel.rehearsal import Rehearsal, make_line, rehearsal
from tests.programs import ran

HOLD = "import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY); input()"


@contextmanager
def holding(tty: str) -> Iterator[int]:
    """A program that has it open, until the end."""
    command = [sys.executable, "-c", HOLD, f"/dev/{tty}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as program:
        try:
            assert until(lambda: any(h.pid == program.pid for h in TtyHolders().holders()))
            yield program.pid
        finally:
            program.kill()


def doctor(config: Path) -> list[dict[str, str]]:
    done = ran("doctor", "--json", "--config", str(config), limit_s=180)
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def ttys_of(tray: Rehearsal) -> list[str]:
    device = tray.device("A1")
    return [] if device is None else [path.name for path in device.glob("*/ttyUSB*")]


def test_root_is_told_which_program_holds_a_tty(tmp_path: Path) -> None:
    with rehearsal(tmp_path, 1) as tray:
        line = make_line(tmp_path, tray.slots)
        assert until(lambda: len(ttys_of(tray)) > 2, 60.0)
        tty = min(ttys_of(tray))
        with holding(tty) as pid:
            found = doctor(line.config)
        [free] = ttys(Ground(load_settings(line.config), load_families(), read_topology()))
    [held] = [f for f in found if tty in f["what"] and f["grade"] == "BAD"]
    assert f"(process {pid})" in held["what"]
    assert "(driver option" in held["what"]
    assert free.what == "no program holds a tty of a module"
    broken = [f for f in found if f["what"].startswith("the check broke")]
    assert broken == []
    for sound in (
        "may use it",
        "the udev rule is installed as shipped",
        "1 slots have their ports",
    ):
        assert [f for f in found if f["grade"] == "OK" and sound in f["what"]], sound
