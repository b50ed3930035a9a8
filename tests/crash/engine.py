"""The engine that is killed: `station serve` or `station flash --once`, as their commands call it.

Settings, record, evidence, locks and socket are real; only the world of USB is another process's.
"""

import argparse
from pathlib import Path

from station.commands.exits import leave, station_errors
from station.commands.flash import FlashRequest, run_flash
from station.commands.serve import serve
from station.config import Settings, load_settings
from station.model import PortPath
from station.sim.clock import ScaledClock
from tests.crash.usbip_backend import UsbipBackend

SPEED = 4.0
"""So much faster than the wall the engine waits; what it does takes its real time."""


def main() -> None:
    """`serve` or `flash`, in this process; ends with the command's exit code."""
    asked = argparse.ArgumentParser()
    asked.add_argument("do", choices=("serve", "flash"))
    asked.add_argument("--config", type=Path, required=True)
    asked.add_argument("--tcp-port", type=int, required=True)
    asked.add_argument("--wait", type=float, default=0.0)
    asked.add_argument("--recipe")
    asked.add_argument("--slot", action="append", default=[])
    options = asked.parse_args()
    with station_errors():
        settings = load_settings(options.config)
        backend = UsbipBackend(("127.0.0.1", options.tcp_port), ports_of(settings))
        clock = ScaledClock(SPEED)
        if options.do == "serve":
            leave(serve(settings, backend, clock=clock))
        request = FlashRequest(
            slots=tuple(options.slot), recipe=options.recipe, wait_s=options.wait, json=True
        )
        leave(run_flash(settings, request, backend, clock=clock))


def ports_of(settings: Settings) -> dict[str, tuple[PortPath, PortPath]]:
    """The exported bus ids are 1-1, 1-2, ... in the order of the slots."""
    found = {}
    for number, slot in enumerate(settings.slots, start=1):
        high, super_ = sorted(slot.ports)
        found[f"1-{number}"] = (high, super_)
    return found
