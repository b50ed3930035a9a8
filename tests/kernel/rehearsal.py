"""A tray of simulated modules on the guest's kernel, and a line that flashes it."""

import json
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio
import yaml

from station.commands.sim_control import ask
from station.config import load_settings
from station.model import AttemptRecord, Event
from station.sim.layouts import layout_of
from station.transport.libusb import LibusbBackend
from tests.demo_line import demo_line
from tests.engine.tray import by_slot, flash_line
from tests.kernel.kernel import DEVICES, read, until
from tests.programs import Begin, Program, forked, ran

START_S = 60.0


@dataclass(frozen=True)
class Rehearsal:
    """Modules in slots A1, A2, ...; `slots` is the section it printed."""

    program: Program
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

    def shows(self, slot: str, usb_id: str) -> bool:
        """The kernel has this device in the slot, soon."""

        def seen() -> bool:
            found = self.device(slot)
            return found is not None and usb_id == ":".join(
                str(read(found, name)) for name in ("idVendor", "idProduct")
            )

        return until(seen, 40.0)

    def swap(self, modules: Mapping[str, str]) -> None:
        """A fresh module with the named fault into each of these slots; the kernel has seen it."""
        self.take_out(*modules)
        self.put_in(modules)

    def take_out(self, *slots: str) -> None:
        plugged = {place["slot"]: place["plugged"] for place in self.ask("status")}
        for slot in slots:
            if plugged[slot]:
                self.ask("unplug", slot=slot)
        assert until(lambda: all(self.device(slot) is None for slot in slots), 60)

    def put_in(self, modules: Mapping[str, str]) -> None:
        for slot, fault in modules.items():
            self.ask("plug", slot=slot, fault=fault)
        assert until(lambda: all(self.device(slot) is not None for slot in modules), 60)

    def flash_of(self, slot: str) -> dict[str, tuple[int, str]]:
        """Partition -> length and sha256 of what the module's flash holds. The judge."""
        found = self.ask("dump", slot=slot)
        return {part["name"]: (part["length_bytes"], part["sha256"]) for part in found}


@contextmanager
def rehearsal(
    folder: Path,
    modules: int,
    *more: str,
    size_mb: int = 1,
    speed: float = 4.0,
    begin: Begin = forked,
) -> Iterator[Rehearsal]:
    """Started, attached and enumerated; ended afterwards.

    Modules boot and erase `speed` times quicker than real ones: the kernel and the station do not.
    """
    control = folder / "sim.sock"
    arguments = ["sim", "usbip", "--attach", "--modules", str(modules), "--seed", "7"]
    arguments += ["--size", str(size_mb), "--speed", str(speed), "--control", str(control), *more]
    printed, log = folder / "sim.out", folder / "sim.log"
    with printed.open("w") as out, log.open("w") as err:
        program = begin(arguments, out, err)
    try:
        up = until(lambda: printed.read_text().count("\n") > modules, START_S)
        assert up, f"it never came up: {log.read_text()}"
        yield Rehearsal(program, control, yaml.safe_load(printed.read_text())["slots"])
    finally:
        program.send_signal(signal.SIGTERM)
        try:
            program.wait(60)
        finally:
            program.kill()


@dataclass(frozen=True)
class Line:
    """Settings, recipes, packages and a record for a rehearsal's slots."""

    config: Path

    def flash(
        self, *more: str, limit_s: float = 240.0, begin: Begin = forked
    ) -> tuple[int, dict[str, Any]]:
        """`station flash --once --json`: exit code, and the attempt of each slot."""
        arguments = ("flash", "--once", "--json", "--config", str(self.config), *more)
        done = ran(*arguments, limit_s=limit_s, begin=begin)
        attempts = [json.loads(line) for line in done.stdout.splitlines()]
        assert attempts, done.stderr
        return done.returncode, {attempt["slot"]: attempt for attempt in attempts}

    def flash_here(
        self,
        *slots: str,
        wait_s: float = 60.0,
        tell: Callable[[Event], None] = lambda _: None,
    ) -> dict[str, AttemptRecord]:
        """The same in this process; all slots if none is named."""
        settings = load_settings(self.config)
        return by_slot(
            trio.run(
                lambda: flash_line(settings, LibusbBackend(), *slots, wait_s=wait_s, tell=tell)
            )
        )

    @contextmanager
    def serving(self) -> Iterator[None]:
        """`station serve` owns the slots; it must end well."""
        log = self.config.with_name("serve.log")
        with log.open("w") as told:
            engine = forked(["serve", "--config", str(self.config)], told, told)
        try:
            assert until(lambda: "serving" in log.read_text(), 60), log.read_text()
            yield
            engine.send_signal(signal.SIGTERM)
            assert engine.wait(60) == 0, log.read_text()
        finally:
            engine.kill()

    def package(self, family: str = "ec25") -> Path:
        return self.config.parent / "packages" / layout_of(family).newer_version


def make_line(folder: Path, slots: Mapping[str, Any], size_mb: int = 1) -> Line:
    config = demo_line(folder / "line", list(slots), size_mb)
    settings = yaml.safe_load(config.read_text())
    settings["slots"] = dict(slots)
    settings["line"] = settings.get("line", {}) | {"put_back_s": 3, "attempts": 1}
    config.write_text(yaml.safe_dump(settings, sort_keys=False))
    for recipe in (config.parent / "recipes").glob("*.yaml"):
        impatient = yaml.safe_load(recipe.read_text()) | {"limits": {"confirm": 30.0}}
        recipe.write_text(yaml.safe_dump(impatient, sort_keys=False))
    return Line(config)
