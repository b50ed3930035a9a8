"""What USB transfers cost, on a real kernel: the station against its fallback and against qdl.

    python -m tests.bench.usb [MEGABYTES]

Boots the guest of `tests.kernel` and measures in it; modules are simulated, with a programmer that
takes no time of its own, and served over USB/IP by another process. Everything is emulated, so
the figures are ratios of one run and nothing else.

async     asynchronous transfers that trio waits for: what the station does on Linux
threads   synchronous pyusb in threads: what it falls back to
qdl       Debian's, which writes 512 bytes at a time (informative)

MB/s      one image to one module, from the first packet to the ACK of the reset
cpu       of the flashing process, user and system, per MB; `server`: of the simulated modules
first     from the module's folder in sysfs to the first packet of the host
cancel    from asking a running span to end until it has
"""

import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from xml.sax.saxutils import quoteattr

import trio

from station.flash.pump import pump
from station.model import DeviceInfo, PortPath
from station.protocols import sahara
from station.protocols.dialogue import BytesSource, Dialogue
from station.protocols.firehose import Firehose, Geometry, Profile
from station.sim.images import programmer
from station.sim.layouts import layout_of
from station.transport.base import Pipe
from station.transport.kernel import this_kernel
from station.transport.libusb import LibusbBackend, wheel_libusb
from tests.kernel.conftest import IN_GUEST
from tests.kernel.kernel import until
from tests.kernel.machine import REPOSITORY, Machine, Missing
from tests.kernel.rehearsal import Rehearsal, rehearsal

T = TypeVar("T")

LIMIT_S = 900.0
MODULES = 8
PAYLOADS = {"8 KiB": 8192, "1 MiB": 1 << 20}
MB = 1_000_000

_EC25 = layout_of("ec25")
_GEOMETRY = Geometry(_EC25.sector_size_bytes, _EC25.pages_per_block)
_PART = next(part for part in _EC25.programmed if part.name == "system")
_GOAL = {
    "MB/s": ">= 3 x threads",
    "cpu": "<= 0.5 x threads",
    "eight": ">= 0.9",
    "cancel": "< 50 ms",
}


@dataclass(slots=True)
class Run:
    """One image to one module, or to several at once."""

    mb: float
    wall_s: float
    cpu_s: float
    server_cpu_s: float

    @property
    def rate(self) -> float:
        return self.mb / self.wall_s

    @property
    def cpu_ms_per_mb(self) -> float:
        return 1000 * self.cpu_s / self.mb

    def row(self, name: str) -> str:
        server = 1000 * self.server_cpu_s / self.mb
        return f"{name:<24}{self.rate:>8.1f}{self.cpu_ms_per_mb:>10.0f}{server:>12.0f}"


@dataclass(slots=True)
class Bench:
    """A tray in EDL, and what flashes it."""

    tray: Rehearsal
    server_pid: int
    image: bytes
    sha256: str
    backends: dict[str, LibusbBackend] = field(default_factory=dict)

    def cycle(self, *slots: str) -> None:
        """The modules are in their boot ROMs again."""
        before = {slot: _inode(self.tray.device(slot)) for slot in slots}
        for slot in slots:
            self.power_cycle(slot)
        assert until(
            lambda: all(_inode(self.tray.device(s)) not in (None, before[s]) for s in slots), 30
        )

    def power_cycle(self, slot: str) -> None:
        self.tray.ask("power", slot=slot, to="cycle")

    def flash(self, backend: LibusbBackend, payload_bytes: int, *slots: str) -> Run:
        """The image to these modules at the same time."""
        self.cycle(*slots)
        cpu_s, server_s = time.process_time(), _cpu_s(self.server_pid)
        begin_s, end_s = trio.run(self._flash_all, backend, payload_bytes, slots)
        return Run(
            len(self.image) * len(slots) / MB,
            end_s - begin_s,
            time.process_time() - cpu_s,
            _cpu_s(self.server_pid) - server_s,
        )

    async def _flash_all(
        self, backend: LibusbBackend, payload_bytes: int, slots: tuple[str, ...]
    ) -> tuple[float, float]:
        begun: list[float] = []

        async def one(slot: str) -> None:
            pipe = await self.open(backend, slot)
            begun.append(time.perf_counter())
            firehose = await _start_programmer(pipe, payload_bytes)
            await _run(firehose.erase(_start(), _sectors(self.image), _GEOMETRY), pipe)
            source = BytesSource("system.ubi", self.image)
            sent = await _run(
                firehose.program(source, _start(), _sectors(self.image), _GEOMETRY), pipe
            )
            assert sent.sha256 == self.sha256
            await _run(firehose.power("reset"), pipe)
            await pipe.aclose()

        async with trio.open_nursery() as nursery:
            for slot in slots:
                nursery.start_soon(one, slot)
        return min(begun), time.perf_counter()

    async def open(self, backend: LibusbBackend, slot: str) -> Pipe:
        paths = [PortPath.parse(port) for port in self.tray.ports(slot)]
        with trio.fail_after(30):
            while True:
                for device in await backend.scan():
                    if device.path in paths and device.interfaces:
                        return await backend.open(device, _interface(device), line_state=False)
                await backend.wait_change(1.0)

    # --- beginnings and ends -------------------------------------------------------------------

    def first_packet_ms(self, backend: LibusbBackend, *slots: str) -> list[float]:
        """From each module's folder in sysfs to the moment before the first packet to it."""
        appeared: dict[str, float] = {}
        written: dict[str, float] = {}

        async def look(slot: str, before: int | None) -> None:
            while _inode(self.tray.device(slot)) in (None, before):  # noqa: ASYNC110 - to compare
                await trio.sleep(0.001)
            appeared[slot] = time.perf_counter()

        async def greet(slot: str, before: int | None) -> None:
            while _inode(self.tray.device(slot)) in (None, before):
                await backend.wait_change(1.0)
            pipe = await self.open(backend, slot)
            hello = await _run(sahara.greet(timeout_s=1.0), pipe)
            assert isinstance(hello, sahara.Hello)
            written[slot] = time.perf_counter()
            await pipe.aclose()

        async def main() -> None:
            before = {slot: _inode(self.tray.device(slot)) for slot in slots}
            async with trio.open_nursery() as nursery:
                for slot in slots:
                    nursery.start_soon(look, slot, before[slot])
                    nursery.start_soon(greet, slot, before[slot])
                for slot in slots:
                    await trio.to_thread.run_sync(self.power_cycle, slot)

        trio.run(main)
        return [1000 * (written[slot] - appeared[slot]) for slot in slots]

    def cancel_ms(self, backend: LibusbBackend, slot: str, times: int = 10) -> list[float]:
        """A span of 8 KiB chunks is cancelled in mid-course."""
        took: list[float] = []

        async def main() -> None:
            pipe = await self.open(backend, slot)
            firehose = await _start_programmer(pipe, 8192)
            await _run(firehose.erase(_start(), _sectors(self.image), _GEOMETRY), pipe)
            with trio.move_on_after(0.3) as scope:
                await _run(
                    firehose.program(
                        BytesSource("system.ubi", self.image),
                        _start(),
                        _sectors(self.image),
                        _GEOMETRY,
                    ),
                    pipe,
                )
            assert scope.cancelled_caught, "the image was through before it could be cancelled"
            took.append(1000 * (trio.current_time() - scope.deadline))
            await pipe.aclose()

        for _ in range(times):
            self.cycle(slot)
            trio.run(main)
        return took

    # --- a stranger ----------------------------------------------------------------------------

    def qdl(self, folder: Path, slot: str) -> Run:
        """Debian's qdl and the same image; its CPU includes reading the files."""
        (folder / "system.ubi").write_bytes(self.image)
        (folder / "programmer.mbn").write_bytes(programmer(_EC25))
        (folder / "rawprogram.xml").write_text(_rawprogram(len(self.image)))
        self.cycle(slot)
        server_s, spent = _cpu_s(self.server_pid), os.times()
        begin_s = time.perf_counter()
        subprocess.run(
            ["qdl", "--storage", "nand", "programmer.mbn", "rawprogram.xml"],
            cwd=folder,
            check=False,
            timeout=300,
            capture_output=True,
        )
        wall_s, now = time.perf_counter() - begin_s, os.times()
        found = {part["name"]: part for part in self.tray.ask("dump", slot=slot)}
        assert found["system"]["length_bytes"] == len(self.image), "qdl did not write it"
        cpu_s = now.children_user + now.children_system
        cpu_s -= spent.children_user + spent.children_system
        return Run(len(self.image) / MB, wall_s, cpu_s, _cpu_s(self.server_pid) - server_s)


async def _start_programmer(pipe: Pipe, payload_bytes: int) -> Firehose:
    greeting = await _run(sahara.greet(timeout_s=1.0), pipe)
    source = BytesSource("programmer.mbn", programmer(_EC25))
    loaded = await _run(sahara.load_programmer(source, greeting, timeout_s=5.0), pipe)
    firehose = Firehose(Profile(payload_bytes=payload_bytes, zlp=True), loaded.leftover)
    await _run(firehose.greet(timeout_s=3.0), pipe)
    configured = await _run(firehose.configure(), pipe)
    assert configured.payload_bytes == payload_bytes
    return firehose


async def _run(dialogue: Dialogue[T], pipe: Pipe) -> T:
    return await pump(dialogue, pipe, lambda _: None)


def _interface(device: DeviceInfo) -> int:
    return device.interfaces[0].number


def _start() -> int:
    return _EC25.start_sector(_PART)


def _sectors(image: bytes) -> int:
    """Whole blocks, so that the same region is erased and written."""
    return -(-len(image) // _EC25.block_size_bytes) * _EC25.pages_per_block


def _rawprogram(length_bytes: int) -> str:
    place = {
        "PAGES_PER_BLOCK": _EC25.pages_per_block,
        "SECTOR_SIZE_IN_BYTES": _EC25.sector_size_bytes,
        "num_partition_sectors": length_bytes // _EC25.sector_size_bytes,
        "physical_partition_number": 0,
        "start_sector": _start(),
    }
    named = {"filename": "system.ubi", "label": "system", "last_sector": 0, "sparse": "false"}
    erase = " ".join(f"{key}={quoteattr(str(value))}" for key, value in place.items())
    program = " ".join(f"{key}={quoteattr(str(value))}" for key, value in (place | named).items())
    return f'<?xml version="1.0" ?>\n<data>\n<erase {erase}/>\n<program {program}/>\n</data>\n'


def _inode(device: Path | None) -> int | None:
    """Of the device's folder: another one for each enumeration."""
    try:
        return None if device is None else device.resolve().stat().st_ino
    except OSError:
        return None


def _cpu_s(pid: int) -> float:
    """User and system seconds of another process. Ref: man proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _server_pid(control: Path) -> int:
    """The process that was started with this control socket."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        words = entry.read_bytes().split(b"\0")
        if str(control).encode() in words and b"usbip" in words:
            return int(entry.parent.name)
    raise AssertionError("the rehearsal's process is not there")


# --- the table ---------------------------------------------------------------------------------


def measure(size_mb: int) -> None:
    """In the guest: one tray, every column."""
    faults = [f"A{number}=arrives-in-edl" for number in range(1, MODULES + 1)]
    faults.append(f"A{MODULES + 1}=wide-payload")
    named = [word for fault in faults for word in ("--fault", fault)]
    block = _EC25.block_size_bytes
    image = os.urandom(size_mb * MB // block * block)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        more = ("--unlimited", "--tolerant", *named)
        with rehearsal(folder, MODULES + 1, *more) as tray:
            assert until(lambda: all(tray.device(slot) for slot in tray.slots), 60)
            backends = {
                "async": LibusbBackend(),
                "threads": LibusbBackend(wheel_libusb(), this_kernel()),
            }
            digest = hashlib.sha256(image).hexdigest()
            bench = Bench(tray, _server_pid(tray.control), image, digest, backends)
            _transfers(bench, folder)
            _ends(bench)


def _transfers(bench: Bench, folder: Path) -> None:
    say(f"\n{'':<24}{'MB/s':>8}{'cpu ms/MB':>10}{'server':>12}")
    runs: dict[tuple[str, str], Run] = {}
    for payload, payload_bytes in PAYLOADS.items():
        slot = "A1" if payload_bytes == 8192 else f"A{MODULES + 1}"
        for name, backend in bench.backends.items():
            best = max(
                (bench.flash(backend, payload_bytes, slot) for _ in range(2)), key=lambda r: r.rate
            )
            runs[payload, name] = best
            say(best.row(f"{payload} {name}"))
    say(bench.qdl(folder, "A1").row("8 KiB qdl"))
    fast, slow = runs["8 KiB", "async"], runs["8 KiB", "threads"]
    say(f"async / threads at 8 KiB: {fast.rate / slow.rate:.2f} x MB/s (goal {_GOAL['MB/s']}), "
        f"{fast.cpu_ms_per_mb / slow.cpu_ms_per_mb:.2f} x cpu (goal {_GOAL['cpu']})")  # fmt: skip
    eight = bench.flash(bench.backends["async"], 8192, *(f"A{n}" for n in range(1, MODULES + 1)))
    say(eight.row("8 KiB async, eight"))
    say(f"eight at once / best of one: {eight.rate / fast.rate:.2f} (goal {_GOAL['eight']})")


def _ends(bench: Bench) -> None:
    for name, backend in bench.backends.items():
        one = bench.first_packet_ms(backend, "A1")
        eight = bench.first_packet_ms(backend, *(f"A{n}" for n in range(1, MODULES + 1)))
        cancels = bench.cancel_ms(backend, "A1")
        say(
            f"{name:<8} first packet after {one[0]:.0f} ms; of eight at once "
            f"{statistics.median(eight):.0f} ms (worst {max(eight):.0f}); cancelled in "
            f"{statistics.median(cancels):.0f} ms (worst {max(cancels):.0f}, "
            f"goal {_GOAL['cancel']})"
        )


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command's answer


def main() -> int:
    size_mb = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    if IN_GUEST:
        measure(size_mb)
        return 0
    with tempfile.TemporaryDirectory(prefix="station-bench-") as share:
        command = f"cd {REPOSITORY} && {sys.executable} -m tests.bench.usb {size_mb}"
        try:
            return Machine(Path(share)).run(command, limit_s=LIMIT_S)
        except Missing as missing:
            say(f"tests.bench.usb: {missing}")
            return 2


if __name__ == "__main__":
    sys.exit(main())
