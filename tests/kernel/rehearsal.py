"""A tray of simulated modules on the guest's kernel, and a line that flashes it."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio
import yaml

from station.commands.demo_files import write_demo_files
from station.commands.sim_control import ask
from station.config import load_settings
from station.model import AttemptRecord, Event
from station.sim.layouts import layout_of
from station.transport.libusb import LibusbBackend
from tests.engine.tray import by_slot, flash_line
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

    def swap(self, modules: Mapping[str, str]) -> None:
        """A fresh module with the named fault into each of these slots; the kernel has seen it."""
        plugged = {place["slot"]: place["plugged"] for place in self.ask("status")}
        for slot in modules:
            if plugged[slot]:
                self.ask("unplug", slot=slot)
        assert until(lambda: all(self.device(slot) is None for slot in modules), 60)
        for slot, fault in modules.items():
            self.ask("plug", slot=slot, fault=fault)
        assert until(lambda: all(self.device(slot) is not None for slot in modules), 60)

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
    printed, log = folder / "sim.out", folder / "sim.log"
    with printed.open("w") as out, log.open("w") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err)
    try:
        up = until(lambda: printed.read_text().count("\n") > modules, START_S)
        assert up, f"it never came up: {log.read_text()}"
        yield Rehearsal(control, yaml.safe_load(printed.read_text())["slots"])
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        finally:
            process.kill()


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

    def flash_here(
        self,
        *slots: str,
        wait_s: float = 60.0,
        tell: Callable[[Event], None] = lambda _: None,
    ) -> dict[str, AttemptRecord]:
        """The same in this process, which is ten seconds quicker; all slots if none is named."""
        settings = load_settings(self.config)
        return by_slot(
            trio.run(
                lambda: flash_line(settings, LibusbBackend(), *slots, wait_s=wait_s, tell=tell)
            )
        )

    def package(self, family: str = "ec25") -> Path:
        return self.config.parent / "packages" / layout_of(family).newer_version


def make_line(folder: Path, slots: Mapping[str, Any], size_mb: int = 1) -> Line:
    config = write_demo_files(folder / "line", list(slots), size_mb)
    settings = yaml.safe_load(config.read_text())
    settings["slots"] = dict(slots)
    config.write_text(yaml.safe_dump(settings, sort_keys=False))
    recipe = config.parent / "recipes" / "ec25-demo.yaml"
    impatient = yaml.safe_load(recipe.read_text()) | {"limits": {"confirm": 45.0}}
    recipe.write_text(yaml.safe_dump(impatient, sort_keys=False))
    return Line(config)
