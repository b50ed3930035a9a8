"""What stands outside the machine whose power is cut: modules in their slots, and their flash."""

import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import yaml

from station.config import load_settings
from station.store.revision import create_if_missing
from tests.kernel.judge import flash_after
from tests.kernel.kernel import until
from tests.kernel.rehearsal import Line, Rehearsal, make_line
from tests.programs import begun

SIZE_MB = 1
SPEED = 4.0
START_S = 60.0

HARMLESS = ("no-echo", "sahara-v3", "read-zlp", "bad-blocks", "at-echo-urc-noise", "echoed-hello")
"""Oddities of modules that pass."""

Flash = Mapping[str, tuple[int, str]]
"""Length and sha256 of what each partition holds."""


class Module(NamedTuple):
    """`flash` as `Bench.flash_is` has it."""

    imei: str
    chip_serial: str
    mode: str
    flash: str
    is_calibrated: bool


@dataclass
class Bench:
    """`tray` answers at `tcp_port`; `line` is what the disk was filled with."""

    slots: tuple[str, ...]
    tray: Rehearsal
    line: Line
    tcp_port: int

    def __post_init__(self) -> None:
        self._new: Flash = flash_after(self.line.package())
        self._as_made: dict[str, Flash] = {slot: self.tray.flash_of(slot) for slot in self.slots}

    def pull(self, slot: str) -> None:
        self.tray.ask("unplug", slot=slot)

    def plug(self, slot: str, oddity: str | None = None) -> None:
        """The module that was pulled, or a fresh one."""
        if oddity is None:
            self.tray.ask("plug", slot=slot)
        else:
            self.tray.ask("plug", slot=slot, fault=oddity)
            self._as_made[slot] = self.tray.flash_of(slot)

    def lose_power(self) -> None:
        """Hubs that hang on the machine's own supply."""
        for slot in self.slots:
            self.tray.ask("power", slot=slot, to="cycle")

    def flash_is(self, slot: str) -> str:
        """`old` as the module was made, `new` as the package, or `partly`."""
        found = self.tray.flash_of(slot)
        if {name: found[name] for name in self._new} == self._new:
            return "new"
        return "old" if found == self._as_made[slot] else "partly"

    def look(self) -> dict[str, Module]:
        """What is in the slots. Takes a second: nobody may be at work on them."""
        calibrated = {
            slot: self.tray.ask("calibration", slot=slot)["intact"] for slot in self.slots
        }
        return {
            place["slot"]: Module(
                place["imei"],
                place["chip_serial"],
                place["mode"],
                self.flash_is(place["slot"]),
                calibrated[place["slot"]],
            )
            for place in self.tray.ask("status")
        }


@contextmanager
def bench(folder: Path, modules: int) -> Iterator[Bench]:
    """So many healthy modules in slots A1, A2, ..., exported to this machine's guests."""
    slots = tuple(f"A{number}" for number in range(1, modules + 1))
    tcp_port, control = _free_tcp_port(), folder / "control"
    arguments = ["sim", "usbip", "--listen", f"127.0.0.1:{tcp_port}", "--control", str(control)]
    arguments += ["--modules", str(modules), "--size", str(SIZE_MB), "--speed", str(SPEED)]
    log = folder / "modules.log"
    with log.open("w") as told:
        program = begun([*arguments, "--seed", "7"], told, told)
    try:
        if not until(lambda: "rehearsing" in log.read_text(), START_S):
            raise TimeoutError(f"the modules never came up: {log.read_text()}")
        yield Bench(
            slots, Rehearsal(program, control, {}), _line(folder / "content", slots), tcp_port
        )
    finally:
        program.send_signal(signal.SIGTERM)
        try:
            program.wait(START_S)
        finally:
            program.kill()


def _line(folder: Path, names: Sequence[str]) -> Line:
    """What the disk begins with. The ports are not known before a guest has attached them."""
    slots = {slot: {"ports": [f"1-{number}"]} for number, slot in enumerate(names, start=1)}
    line = make_line(folder, slots, SIZE_MB)
    (line.config.parent / "slots.yaml").write_text(yaml.safe_dump({"slots": slots}))
    settings = yaml.safe_load(line.config.read_text()) | {"slots": "slots.yaml"}
    line.config.write_text(yaml.safe_dump(settings))
    create_if_missing(load_settings(line.config).database)
    return line


def _free_tcp_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])
