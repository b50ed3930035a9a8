"""`station demo`: a tray of simulated modules, flashed by the real engine.

Everything lies in a data folder of its own (`demo_files`) and stays there, so that the other
commands can be tried on it afterwards.
"""

import os
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import platformdirs
import trio

from station.commands.demo_files import SIZE_MB, write_demo_files
from station.commands.exits import Exit, say
from station.commands.flash import Flashed, FlashRequest, run_flash
from station.config import Settings, load_settings
from station.errors import UsageError
from station.sim.backend import SimBackend
from station.sim.clock import ScaledClock
from station.sim.faults import FAULTS
from station.sim.layouts import layout_of
from station.sim.tray import make_tray

MAX_SLOTS = 32


@dataclass(frozen=True, slots=True)
class DemoRequest:
    slots: int = 8
    family: str = "ec25"
    once: bool = False
    json: bool = False
    seed: int | None = None
    speed: float = 1.0
    faults: dict[str, str] = field(default_factory=dict)
    data: Path | None = None


def run_demo(request: DemoRequest) -> Exit:
    """Trays of fresh modules, one with `once`, else until Ctrl-C.

    Raises UsageError, ConfigError for what cannot be.
    """
    if not 1 <= request.slots <= MAX_SLOTS:
        raise UsageError(f"--slots is {request.slots}; it can be 1 to {MAX_SLOTS}")
    if not 0.1 <= request.speed <= 50:
        raise UsageError(f"--speed is {request.speed:g}; it can be 0.1 to 50")
    layout_of(request.family)
    names = [f"A{number}" for number in range(1, request.slots + 1)]
    _check_faults(request.faults, names)
    seed = secrets.randbelow(1_000_000) if request.seed is None else request.seed
    folder = _data_folder(request.data)
    config = write_demo_files(folder, names)
    say(f"demo data: {folder}")
    say(f"for later commands: --config {config}")
    settings = load_settings(config)
    while True:
        flashed = _flash_tray(settings, request, seed)
        if request.once or flashed.aborted:
            return flashed.code
        seed += 1
        say("next tray; Ctrl-C ends the demo")


def _flash_tray(settings: Settings, request: DemoRequest, seed: int) -> Flashed:
    tray = make_tray(
        settings.slots,
        family=request.family,
        version=layout_of(request.family).older_version,
        seed=seed,
        faults=request.faults,
        size_mb=SIZE_MB,
    )
    return run_flash(
        settings,
        FlashRequest(wait_s=30.0, json=request.json, trigger="demo"),
        SimBackend(tuple(tray.ports.values())),
        own_ports=False,
        clock=ScaledClock(request.speed),
        started=lambda: tray.plug(trio.current_time()),
    )


def list_faults() -> str:
    """One line per fault: name and what it does."""
    width = max(len(name) for name in FAULTS)
    return "\n".join(f"{name:<{width}}  {fault.description}" for name, fault in FAULTS.items())


def _data_folder(given: Path | None) -> Path:
    if given is None:
        name = f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}"
        given = platformdirs.user_data_path("flashing-station") / name
    return given.absolute()


def _check_faults(faults: dict[str, str], slots: list[str]) -> None:
    for slot, fault in faults.items():
        if slot not in slots:
            raise UsageError(f"--fault {slot}={fault}: there is no slot {slot}")
        if fault not in FAULTS:
            raise UsageError(f"--fault {slot}={fault}: no such fault; see --list-faults")
