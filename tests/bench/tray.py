"""How well a tray scales: whole attempts on 1, 4, 8 and 16 modules at once.

    python -m tests.bench.tray [MEGABYTES]

Real clock, the real engine, `transport/libusb.py` over the fake pyusb backend with its real
threads, 8 KiB payloads each ended by a zero-length packet. The modules model erase, program
(4 MB/s), read-back (8 MB/s) and boot. Each count runs in a process of its own, so that its peak
memory is its own; the simulated modules' flash is in that figure.

wall      from the first look to the last committed verdict
device    what a module itself needed, mean over the modules: no station can save it
overhead  wall minus device: what the station adds to a module
cpu       user and system seconds of the whole process, simulated modules included, per module
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import trio

from station.commands.demo_files import write_demo_files
from station.config import load_families, load_recipes, load_settings
from station.engine.once import flash_once
from station.engine.shelf import Shelf
from station.engine.stop import Stop
from station.engine.world import Order, World
from station.firmware.package_store import PackageStore
from station.model import Outcome
from station.sim.layouts import layout_of
from station.sim.tray import make_tray
from station.store.revision import create_if_missing
from station.store.writer import open_store
from station.transport.libusb import LibusbBackend
from tests.fakes.pyusb_backend import FakePyusb

HEAD = "slots    wall_s  device_s  overhead_s  cpu_s/module  peak_MB"


async def measure(config: Path, size_mb: int) -> str:
    """One tray on the line that `config` describes; its figures as a row."""
    settings = load_settings(config)
    slots = settings.slots
    tray = make_tray(slots, version=layout_of("ec25").older_version, size_mb=size_mb)
    fake = FakePyusb(tuple(tray.ports.values()))
    shelf = Shelf(PackageStore(settings.store))
    async with open_store(settings.database) as store:
        world = World(
            settings=settings,
            families=load_families(),
            recipes=load_recipes(settings.recipes),
            backend=LibusbBackend(fake),
            store=store,
            shelf=shelf,
            operator="bench",
            tell=lambda _: None,
        )
        orders = {slot.name: Order("bench") for slot in slots}
        began, began_cpu = time.monotonic(), time.process_time()
        for name, port in tray.ports.items():
            fake.plug(port, tray.modules[name])
        tally = await flash_once(world, slots, orders, wait_s=0, stop=Stop())
        wall_s, cpu_s = time.monotonic() - began, time.process_time() - began_cpu
    shelf.close()

    closed = [record.closed for record in tally.records if record.closed is not None]
    assert [c.failure for c in closed if c.outcome is not Outcome.PASS] == []
    assert len(closed) == len(slots)
    assert not any(module.breaches for module in tray.modules.values())
    device_s = sum(port.device_s for port in tray.ports.values()) / len(slots)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"{len(slots):5} {wall_s:9.2f} {device_s:9.2f} {wall_s - device_s:11.2f} "
        f"{cpu_s / len(slots):13.2f} {peak_mb:8.0f}"
    )


def main() -> None:
    size_mb = int(sys.argv[1]) if len(sys.argv) > 1 else 26
    if len(sys.argv) > 2:  # one count, in the process made for it
        print(trio.run(measure, Path(sys.argv[2]), size_mb))  # noqa: T201 - a bench prints
        return
    print(HEAD)  # noqa: T201 - a bench prints
    for slots in (1, 4, 8, 16):
        with tempfile.TemporaryDirectory() as folder:
            names = [f"A{number}" for number in range(1, slots + 1)]
            config = write_demo_files(Path(folder), names, size_mb)
            create_if_missing(load_settings(config).database)
            subprocess.run(
                [sys.executable, "-m", "tests.bench.tray", str(size_mb), str(config)], check=True
            )


if __name__ == "__main__":
    main()
