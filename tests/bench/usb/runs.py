"""One image to one module, or to several: how it is flashed, and what that took."""

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import trio

from station.flash.pump import pump
from station.model import DeviceInfo, PortPath
from station.protocols import sahara
from station.protocols.dialogue import BytesSource, Dialogue
from station.protocols.firehose import Firehose, Geometry, Profile
from station.sim.images import programmer
from station.sim.layouts import layout_of
from station.transport.base import Pipe
from station.transport.libusb import LibusbBackend
from tests.kernel.kernel import until
from tests.kernel.rehearsal import Rehearsal

T = TypeVar("T")

MB = 1_000_000
EC25 = layout_of("ec25")

_GEOMETRY = Geometry(EC25.sector_size_bytes, EC25.pages_per_block)
_PROGRAMMER = BytesSource("programmer.mbn", programmer(EC25))
_PART = next(part for part in EC25.programmed if part.name == "system")


@dataclass(frozen=True, slots=True)
class Run:
    """The CPU is that of this process, or of its children; `server`: of the simulated modules."""

    mb: float
    wall_s: float
    user_s: float
    system_s: float
    server_s: float

    @property
    def rate(self) -> float:
        return self.mb / self.wall_s

    @property
    def cpu_ms_per_mb(self) -> float:
        return 1000 * (self.user_s + self.system_s) / self.mb

    def row(self, name: str) -> str:
        server = 1000 * self.server_s / self.mb
        return f"{name:<24}{self.rate:>8.1f}{self.cpu_ms_per_mb:>10.0f}{server:>12.0f}"


class ImageFile:
    """The image as a line has it: on a disk."""

    name = "system.ubi"

    def __init__(self, path: Path, image: bytes) -> None:
        path.write_bytes(image)
        self.path = path
        self.length_bytes = len(image)
        self.sha256 = hashlib.sha256(image).hexdigest()
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def pread(self, offset_bytes: int, length_bytes: int) -> bytes:
        return os.pread(self._fd, length_bytes, offset_bytes)


@dataclass(frozen=True, slots=True)
class Bench:
    """A tray in EDL, and an image for its modules."""

    tray: Rehearsal
    image: ImageFile

    @property
    def start_sector(self) -> int:
        return EC25.start_sector(_PART)

    @property
    def sectors(self) -> int:
        """Whole blocks, so that the same region is erased and written."""
        return -(-self.image.length_bytes // EC25.block_size_bytes) * EC25.pages_per_block

    def cycle(self, *slots: str) -> None:
        """The modules are in their boot ROMs again."""
        before = {slot: self.enumeration(slot) for slot in slots}
        for slot in slots:
            self.power_cycle(slot)
        assert until(lambda: all(self.enumeration(s) not in (None, before[s]) for s in slots), 30)

    def power_cycle(self, slot: str) -> None:
        self.tray.ask("power", slot=slot, to="cycle")

    def enumeration(self, slot: str) -> int | None:
        """Inode of the device's folder: another one for each enumeration."""
        device = self.tray.device(slot)
        try:
            return None if device is None else device.resolve().stat().st_ino
        except OSError:
            return None

    def flash(self, backend: LibusbBackend, payload_bytes: int, *slots: str) -> Run:
        """The image to these modules at the same time."""
        self.cycle(*slots)
        return trio.run(self._flash_all, backend, payload_bytes, slots)

    async def _flash_all(
        self, backend: LibusbBackend, payload_bytes: int, slots: tuple[str, ...]
    ) -> Run:
        """From the first packet to the reset's answer; pipes are opened before, closed after."""
        pipes = [await self.open(backend, slot) for slot in slots]
        server_s, before, began_s = self.server_s(), os.times(), time.perf_counter()
        async with trio.open_nursery() as nursery:
            for pipe in pipes:
                nursery.start_soon(self._flash_one, pipe, payload_bytes)
        ended_s, after = time.perf_counter(), os.times()
        for pipe in pipes:
            await pipe.aclose()
        return Run(
            self.image.length_bytes * len(slots) / MB,
            ended_s - began_s,
            after.user - before.user,
            after.system - before.system,
            self.server_s() - server_s,
        )

    async def _flash_one(self, pipe: Pipe, payload_bytes: int) -> None:
        firehose = await self.ready(pipe, payload_bytes)
        await self.program(firehose, pipe)
        await run(firehose.power("reset"), pipe)

    async def open(self, backend: LibusbBackend, slot: str) -> Pipe:
        paths = [PortPath.parse(port) for port in self.tray.ports(slot)]
        with trio.fail_after(30):
            while True:
                for device in await backend.scan():
                    if device.path in paths and device.interfaces:
                        return await backend.open(device, _interface(device), line_state=False)
                await backend.wait_change(1.0)

    async def ready(self, pipe: Pipe, payload_bytes: int) -> Firehose:
        """The programmer runs and the image's place is erased."""
        greeting = await run(sahara.greet(timeout_s=1.0), pipe)
        loaded = await run(sahara.load_programmer(_PROGRAMMER, greeting, timeout_s=5.0), pipe)
        firehose = Firehose(Profile(payload_bytes=payload_bytes, zlp=True), loaded.leftover)
        await run(firehose.greet(timeout_s=3.0), pipe)
        configured = await run(firehose.configure(), pipe)
        assert configured.payload_bytes == payload_bytes
        await run(firehose.erase(self.start_sector, self.sectors, _GEOMETRY), pipe)
        return firehose

    async def program(self, firehose: Firehose, pipe: Pipe) -> None:
        dialogue = firehose.program(self.image, self.start_sector, self.sectors, _GEOMETRY)
        sent = await run(dialogue, pipe)
        assert sent.sha256 == self.image.sha256

    def server_s(self) -> float:
        """User and system seconds of the rehearsal so far. Ref: man proc_pid_stat(5)."""
        stat = Path(f"/proc/{self.tray.program.pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def run(dialogue: Dialogue[T], pipe: Pipe) -> T:
    return await pump(dialogue, pipe, lambda _: None)


def _interface(device: DeviceInfo) -> int:
    return device.interfaces[0].number
