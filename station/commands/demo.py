"""`station demo`: a tray of simulated modules, flashed by the real engine.

Everything lies in a data folder of its own: settings, a recipe, a synthetic package, package
store and database, so that the other commands can be tried on it afterwards.
"""

import os
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import platformdirs
import trio
import yaml

from station.commands.exits import Exit, say
from station.commands.flash import Flashed, FlashRequest, run_flash
from station.config import Settings, load_settings
from station.errors import UsageError
from station.firmware.package_store import PackageStore
from station.sim.backend import SimBackend
from station.sim.clock import ScaledClock
from station.sim.faults import FAULTS
from station.sim.layouts import layout_of
from station.sim.package import write_package
from station.sim.tray import make_tray

FAMILY = "ec25"
SIZE_MB = 6
"""Synthetic image bytes per module: about 20 s per tray with the modelled times."""

MAX_SLOTS = 32

MARK = ".station-demo"
"""Lies in every folder a demo may write to."""


@dataclass(frozen=True, slots=True)
class DemoRequest:
    slots: int = 8
    once: bool = False
    json: bool = False
    seed: int | None = None
    speed: float = 1.0
    faults: dict[str, str] = field(default_factory=dict)
    data: Path | None = None


def run_demo(request: DemoRequest) -> Exit:
    """Trays of fresh modules, one with `once`, else until Ctrl-C. Raises UsageError."""
    if not 1 <= request.slots <= MAX_SLOTS:
        raise UsageError(f"--slots is {request.slots}; it can be 1 to {MAX_SLOTS}")
    if not 0.1 <= request.speed <= 50:
        raise UsageError(f"--speed is {request.speed:g}; it can be 0.1 to 50")
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
        family=FAMILY,
        version=layout_of(FAMILY).older_version,
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


def write_demo_files(folder: Path, slot_names: list[str], size_mb: int = SIZE_MB) -> Path:
    """Settings, recipe and package; the path of the settings. Raises UsageError, PackageError."""
    try:
        return _write_files(folder, slot_names, size_mb)
    except OSError as error:
        raise UsageError(f"{error.filename or folder}: {error.strerror}") from error


def _write_files(folder: Path, slot_names: list[str], size_mb: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()) and not (folder / MARK).exists():
        raise UsageError(f"{folder} is not empty and not the folder of a demo")
    (folder / MARK).touch()
    version = layout_of(FAMILY).newer_version
    package = folder / "packages" / version
    if not package.is_dir():
        with TemporaryDirectory(dir=folder) as draft:  # never half a package under its name
            write_package(Path(draft) / version, family=FAMILY, version=version, size_mb=size_mb)
            package.parent.mkdir(exist_ok=True)
            (Path(draft) / version).rename(package)
    manifest = PackageStore(folder / "store").add(package)
    recipe = {
        "name": "ec25-efa-demo",
        "revision": 1,
        "procedure": "quectel_edl",
        "match": {"sku": ["EC25EFA*"], "tac": []},
        "firmware": {
            "package": f"../packages/{version}",
            "sha256": manifest.sha256,
            "version": version,
        },
        "allow_from": ["EC25EFAR06*"],
    }
    settings = {
        "station": {"name": "demo", "site": "desk"},
        "database": "station.sqlite",
        "store": "store",
        "recipes": "recipes",
        "slots": {
            name: {"ports": [f"1-1.{number}", f"2-1.{number}"]}
            for number, name in enumerate(slot_names, start=1)
        },
    }
    (folder / "recipes").mkdir(parents=True, exist_ok=True)
    _write_yaml(folder / "recipes" / "ec25-efa-demo.yaml", recipe)
    _write_yaml(folder / "station.yaml", settings)
    return folder / "station.yaml"


def _write_yaml(path: Path, value: object) -> None:
    path.write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")


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
