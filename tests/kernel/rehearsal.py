"""A tray of simulated modules on the guest's kernel, as `station sim usbip` puts it there, and a line
that flashes it."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from station.commands.demo_files import write_demo_files
from station.commands.sim_control import ask
from station.sim.layouts import layout_of
from tests.kernel.kernel import DEVICES, until

START_S = 60.0
"""Python alone takes ten seconds to begin here."""

STATION = (sys.executable, "-m", "station")


@dataclass(frozen=True)
class Rehearsal:
    """Modules in slots A1, A2, ...; `slots` is the section it printed."""

    control: Path
    slots: Mapping[str, Any]

    def ask(self, do: str, **more: str) -> Any:  # noqa: ANN401 - JSON
        """What the control channel answers; a refusal fails the test."""
        answer = ask(self.control, do, **more)
        assert answer.get("ok") is True, answer
        return answer.get("data")

    def ports(self, slot: str) -> list[str]:
        """The kernel's names of the slot's ports, USB 2 first."""
        ports: list[str] = self.slots[slot]["ports"]
        return ports

    def device(self, slot: str) -> Path | None:
        """The kernel's folder of what sits in a slot now."""
        return next((DEVICES / p for p in self.ports(slot) if (DEVICES / p).exists()), None)

    def flash_of(self, slot: str) -> dict[str, tuple[int, str]]:
        """Partition -> length and sha256 of what the module's flash holds. The judge."""
        found = self.ask("dump", slot=slot)
        return {part["name"]: (part["length_bytes"], part["sha256"]) for part in found}


@contextmanager
def rehearsal(folder: Path, modules: int, *more: str, size_mb: int = 1) -> Iterator[Rehearsal]:
    """Started, attached and enumerated; ended afterwards."""
    control = folder / "sim.sock"
    command = [*STATION, "sim", "usbip", "--attach", "--modules", str(modules), "--seed", "7"]
    command += ["--size", str(size_mb), "--control", str(control), *more]
    log = (folder / "sim.log").open("w")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        slots = yaml.safe_load(_section(process, modules))["slots"]
        tray = Rehearsal(control, slots)
        yield tray
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        finally:
            process.kill()
            log.close()


def _section(process: "subprocess.Popen[str]", modules: int) -> str:
    """The lines for station.yaml: a head and one for each slot."""
    assert process.stdout is not None
    lines: list[str] = []
    deadline_s = time.monotonic() + START_S
    while len(lines) < 1 + modules:
        left_s = max(0.0, deadline_s - time.monotonic())
        assert select.select([process.stdout], [], [], left_s)[0], "it never came up"
        line = process.stdout.readline()
        assert line, "it ended at once; see sim.log"
        lines.append(line)
    return "".join(lines)


@dataclass(frozen=True)
class Line:
    """Settings, recipes, packages and a record for a rehearsal's slots."""

    config: Path

    def flash(self, *more: str, limit_s: float = 240.0) -> tuple[int, dict[str, Any]]:
        """`station flash --once --json`: exit code, and the attempt of each slot."""
        command = [*STATION, "flash", "--once", "--json", "--config", str(self.config), *more]
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
        attempts = [json.loads(line) for line in done.stdout.splitlines()]
        assert attempts, done.stderr
        return done.returncode, {attempt["slot"]: attempt for attempt in attempts}

    def package(self, family: str = "ec25") -> Path:
        return self.config.parent / "packages" / layout_of(family).newer_version


def make_line(folder: Path, slots: Mapping[str, Any], size_mb: int = 1) -> Line:
    config = write_demo_files(folder / "line", list(slots), size_mb)
    settings = yaml.safe_load(config.read_text())
    settings["slots"] = dict(slots)
    config.write_text(yaml.safe_dump(settings, sort_keys=False))
    return Line(config)
