"""What a round is played on: a line's files, a process that has the modules, engines that die.

Everything is a process of its own and is asked from outside, by a socket or by its files.
"""

import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from station.commands.call import call
from station.commands.line import command_of
from station.commands.sim_control import ask
from station.config import Settings, load_recipes, load_settings
from station.errors import NoEngine
from station.store.revision import create_if_missing
from station.wire import Status
from tests.crash import engine
from tests.demo_line import demo_line
from tests.holding import Broken
from tests.own_ports import own_ports
from tests.programs import Forked, forked

SLOTS = ("A1", "A2", "A3", "A4")
RECIPE = "ec25-demo"
SIZE_MB = 1
SIM_SPEED = 20.0
"""So much quicker than real ones the modules boot, erase and program."""

NAMELESS = "no-serial-string"
COMES_IN_EDL = "arrives-in-edl"

LIMIT_S = 120.0
"""Nothing here takes longer, on a busy machine either."""

_LOOK_S = 0.005


def until(true: Callable[[], object], what: str, limit_s: float = LIMIT_S) -> None:
    """Look until it is so. Raises Broken, with what was waited for."""
    deadline_s = time.monotonic() + limit_s
    while not true():
        if time.monotonic() > deadline_s:
            raise Broken(f"{what}: not within {limit_s:g} s")
        time.sleep(_LOOK_S)  # another process has no other bell


# --- files ------------------------------------------------------------------------------------


def make_stock(folder: Path) -> Path:
    """Settings, packages, recipes and an empty record: copied for each round."""
    config = demo_line(folder, list(SLOTS), SIZE_MB)
    settings = yaml.safe_load(config.read_text())
    settings["slots"] = {name: {"ports": own_ports(n)} for n, name in enumerate(SLOTS, start=1)}
    settings["line"] |= {"put_back_s": 3, "slot_failures": None}
    config.write_text(yaml.safe_dump(settings, sort_keys=False))
    create_if_missing(load_settings(config).database)
    return folder


# --- modules ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Module:
    """A module as its own process tells it. `flash`: partition -> length and sha256."""

    imei: str
    chip_serial: str
    device: str | None
    enumerations: int
    flash: Mapping[str, tuple[int, str]]
    is_calibrated: bool
    is_nameless: bool
    """In EDL it tells its chip serial to nobody but its boot ROM."""
    comes_in_edl: bool
    """Whenever it is plugged in, by itself."""


@dataclass
class Tray:
    """Made by `tray`: modules in the slots, which keep what they are while engines die."""

    control: Path
    tcp_port: int
    faults: dict[str, str]

    def swap(self, slot: str, fault: str) -> None:
        """A fresh module that has this fault."""
        self.ask("unplug", slot=slot)
        self.ask("plug", slot=slot, fault=fault)
        self.faults[slot] = fault

    def ask(self, do: str, **more: str) -> Any:  # noqa: ANN401 - JSON
        answer = ask(self.control, do, **more)
        if answer.get("ok") is not True:
            raise Broken(f"the modules refuse {do} {more}: {answer}")
        return answer.get("data")

    def modules(self) -> dict[str, Module]:
        """Where they are is asked last: one that had been told to leave has left by then."""
        inside = {slot: self._inside(slot) for slot in SLOTS}
        return {p["slot"]: self._module(p, *inside[p["slot"]]) for p in self.ask("status")}

    def _inside(self, slot: str) -> tuple[Mapping[str, tuple[int, str]], bool]:
        parts = self.ask("dump", slot=slot)
        flash = {part["name"]: (part["length_bytes"], part["sha256"]) for part in parts}
        return flash, self.ask("calibration", slot=slot)["intact"]

    def _module(
        self, place: Mapping[str, Any], flash: Mapping[str, tuple[int, str]], is_calibrated: bool
    ) -> Module:
        fault = self.faults.get(place["slot"])
        return Module(
            imei=place["imei"],
            chip_serial=place["chip_serial"],
            device=place["device"],
            enumerations=place["enumerations"],
            flash=flash,
            is_calibrated=is_calibrated,
            is_nameless=fault == NAMELESS,
            comes_in_edl=fault == COMES_IN_EDL,
        )


@contextmanager
def tray(folder: Path, seed: int, faults: Mapping[str, str]) -> Iterator[Tray]:
    control, log = folder / "sim.sock", folder / "sim.log"
    arguments = ["sim", "usbip", "--listen", "127.0.0.1:0", "--modules", str(len(SLOTS))]
    arguments += ["--size", str(SIZE_MB), "--speed", str(SIM_SPEED), "--seed", str(seed)]
    arguments += ["--control", str(control)]
    for slot, fault in faults.items():
        arguments += ["--fault", f"{slot}={fault}"]
    with log.open("w") as told:
        program = forked(arguments, told, told)
    try:
        until(lambda: "rehearsing" in log.read_text(), "the modules come up")
        port = re.search(r"--tcp-port (\d+)", log.read_text())
        assert port is not None
        yield Tray(control, int(port[1]), dict(faults))
    finally:
        program.kill()


# --- engines ----------------------------------------------------------------------------------


@dataclass
class Engine:
    """A process that flashes. `said` and `told` are its stderr and stdout so far."""

    log: Path
    out: Path
    program: Forked

    @property
    def said(self) -> str:
        return self.log.read_text()

    @property
    def told(self) -> str:
        return self.out.read_text()

    def kill(self) -> None:
        """As `kill -9`; it is dead when this returns."""
        self.program.kill()

    def has_ended(self, within_s: float = 0.0) -> bool:
        try:
            self.program.wait(within_s)
        except TimeoutError:
            return False
        return True

    def ended(self) -> int:
        """Its exit code. Raises Broken if there is none in time."""
        if not self.has_ended(LIMIT_S):
            self.kill()
            raise Broken(f"the engine did not end: {self.said}")
        return self.program.wait(0)

    def stop(self) -> None:
        self.program.send_signal(signal.SIGTERM)
        if self.ended() != 0:
            raise Broken(f"the engine did not end well: {self.said}")


@dataclass
class Line:
    """Settings and record of one round, and the engines that worked for it, in order."""

    folder: Path
    tray: Tray
    engines: list[Engine] = field(default_factory=list)

    @classmethod
    def copied(cls, stock: Path, folder: Path, tray: Tray) -> "Line":
        shutil.copytree(stock, folder)
        return cls(folder, tray)

    @cached_property
    def settings(self) -> Settings:
        return load_settings(self.folder / "station.yaml")

    def flash(self, *more: str) -> Engine:
        return self._begin("flash", "--wait", "8", *more)

    def serve(self) -> Engine:
        return self._begin("serve")

    def _begin(self, *arguments: str) -> Engine:
        name = f"engine-{len(self.engines)}"
        log, out = self.folder / f"{name}.err", self.folder / f"{name}.out"
        where = ["--config", str(self.folder / "station.yaml")]
        where += ["--tcp-port", str(self.tray.tcp_port)]
        with out.open("w") as stdout, log.open("w") as stderr:
            program = forked([*arguments, *where], stdout, stderr, engine.main)
        self.engines.append(Engine(log, out, program))
        return self.engines[-1]

    def end(self) -> None:
        """No engine outlives its round."""
        for begun in self.engines:
            begun.kill()

    # --- what is asked of an engine that serves -----------------------------------------------

    def arm(self) -> None:
        """Flash what arrives; as `station line arm`."""
        recipe = next(r for r in load_recipes(self.settings.recipes) if r.recipe.name == RECIPE)
        chosen = [{"name": RECIPE, "sha256": recipe.ref.sha256}]
        with call(self.settings.socket) as line:
            line.ask(command_of("arm", recipes=chosen, operator="crash", expect="none"), LIMIT_S)

    def slots(self) -> dict[str, dict[str, Any]]:
        """Each slot as a screen would show it; empty if the engine is gone."""
        try:
            with call(self.settings.socket) as line:
                return {view["slot"]: view for view in line.ask(Status())["slots"]}
        except NoEngine:
            return {}
