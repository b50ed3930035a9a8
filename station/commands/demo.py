"""`station demo`: a tray of simulated modules, flashed by the real engine.

On a terminal with the live screen, elsewhere without one. Everything lies in a data folder of its
own (`demo_files`) and stays there, so that the other commands can be tried on it afterwards.
"""

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import platformdirs
import trio

from station.commands.call import is_answered
from station.commands.dash import is_terminal
from station.commands.demo_files import MARK, SIZE_MB, write_demo_files
from station.commands.exits import Exit, say
from station.commands.flash import FlashRequest, run_flash
from station.commands.run import visit
from station.commands.sim import Modelled
from station.commands.spawn import spawn
from station.config import Settings, load_settings
from station.errors import UsageError
from station.sim.backend import SimBackend
from station.sim.clock import ScaledClock
from station.sim.faults import FAULTS
from station.sim.layouts import layout_of
from station.sim.tray import make_tray
from station.socket_file import MAX_PATH_BYTES

MAX_SLOTS = 32

LINGER_S = 900
"""The engine of a demo ends by itself when nobody has looked at it for so long."""

_ALONE = f" and ends when nobody has looked at it for {LINGER_S // 60} minutes"


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """`plain`: the screen with few colours and plain letters."""

    slots: int = 8
    modelled: Modelled = field(default_factory=Modelled)
    once: bool = False
    json: bool = False
    plain: bool = False
    data: Path | None = None


def run_demo(request: DemoRequest) -> Exit:
    """The live screen where there is a terminal; without one, or with `once` or `json`, one tray.

    Raises UsageError, ConfigError for what cannot be.
    """
    if not 1 <= request.slots <= MAX_SLOTS:
        raise UsageError(f"--slots is {request.slots}; it can be 1 to {MAX_SLOTS}")
    names = [f"A{number}" for number in range(1, request.slots + 1)]
    request.modelled.check(names)
    folder = _data_folder(request.data)
    if is_terminal() and not (request.once or request.json):
        return _show_live(request, folder, names)
    if not (request.once or request.json):
        say("no terminal, so one tray without the screen, as with --once")
    return _flash_tray(_write_files(folder, names), request)


def _write_files(folder: Path, names: list[str]) -> Settings:
    config = write_demo_files(folder, names)
    say(f"demo data: {folder}")
    say(f"for later commands: --config {config}")
    return load_settings(config)


# --- with a screen ----------------------------------------------------------------------------


def _show_live(request: DemoRequest, folder: Path, names: list[str]) -> Exit:
    """Attach to the engine that runs in this folder, else start one."""
    request.modelled.check_live()
    socket_path = folder / "station.sock"
    if len(os.fsencode(socket_path)) > MAX_PATH_BYTES:
        raise UsageError(
            f"{folder} is too long for the engine's socket in it; choose a shorter --data"
        )
    if _is_demo(folder) and is_answered(socket_path):
        say("an engine runs here already; its options are as they are")
        return visit(load_settings(folder / "station.yaml"), plain=request.plain, alone=_ALONE)
    settings = _write_files(folder, names)
    say("starting the engine of the demo …")
    spawn(_serve_arguments(settings, request.modelled), settings.socket)
    return visit(settings, plain=request.plain, alone=_ALONE)


def _is_demo(folder: Path) -> bool:
    try:
        return (folder / MARK).exists()
    except OSError:
        return False  # whatever is wrong with it, writing will tell


def _serve_arguments(settings: Settings, modelled: Modelled) -> list[str]:
    options = {
        "--config": settings.path,
        "--family": modelled.family,
        "--seed": modelled.any_seed(),
        "--speed": modelled.speed,
        "--linger": LINGER_S,
    }
    faults = [f"--fault={slot}={fault}" for slot, fault in modelled.faults.items()]
    return ["sim", "serve", *(f"{name}={value}" for name, value in options.items()), *faults]


# --- without ----------------------------------------------------------------------------------


def _flash_tray(settings: Settings, request: DemoRequest) -> Exit:
    modelled = request.modelled
    tray = make_tray(
        settings.slots,
        family=modelled.family,
        version=layout_of(modelled.family).older_version,
        seed=modelled.any_seed(),
        faults=modelled.faults,
        size_mb=SIZE_MB,
    )
    return run_flash(
        settings,
        FlashRequest(wait_s=30.0, json=request.json, trigger="demo"),
        SimBackend(tuple(tray.ports.values())),
        own_ports=False,
        clock=ScaledClock(modelled.speed),
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
