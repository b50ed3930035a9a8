"""Makes simulated modules: flash content, calibration, identity, bad blocks."""

import random
from dataclasses import replace

from station.firmware.mibib import find_partition_table
from station.sim.boot import calibration_of
from station.sim.families import FAMILIES
from station.sim.faults import Traits
from station.sim.images import (
    CALIBRATION_MARKER,
    factory_images,
    image_lengths,
    partition_table,
)
from station.sim.layouts import Layout, Part, layout_of
from station.sim.mishap import NONE, Mishap
from station.sim.module import Identity, SimModule
from station.sim.nand import STORE_MEMORY_BYTES, Geometry, Nand, PageStore
from station.sim.timing import Timing

_CALIBRATION_BLOCKS = 2


class Factory:
    """Modules of one family; all share the pages that are the same."""

    def __init__(
        self,
        family: str = "ec25",
        *,
        size_mb: int = 16,
        seed: int = 0,
        memory_bytes: int = STORE_MEMORY_BYTES,
    ) -> None:
        """`memory_bytes`: flash content beyond that lies in a temporary file."""
        self.layout = layout_of(family)
        self._size_mb = size_mb
        self._store = PageStore(self.layout.sector_size_bytes, memory_bytes)
        self._masters: dict[str, Nand] = {}
        self._random = random.Random(f"{family}/{seed}")
        self._made = 0
        self._first = 0

    def make(
        self,
        *,
        version: str | None = None,
        traits: Traits = Traits(),  # noqa: B008 - frozen
        timing: Timing = Timing(),  # noqa: B008 - frozen
        tolerant: bool = False,
        keep_payload: bool = False,
        log_out: bool = True,
        mishap: Mishap = NONE,
    ) -> SimModule:
        """A new module with an identity of its own, on an older version unless one is named."""
        version = version or self.layout.older_version
        if traits.other_variant:
            version = other_variant(version)
        layout = _with_efs_moved(self.layout) if traits.efs_moved else self.layout
        nand = Nand(
            _geometry(layout), self._store, _bad_blocks(layout) if traits.bad_blocks else ()
        )
        self._copy_images(self._master(version), nand)
        if traits.efs_moved:
            _rewrite_partition_table(layout, nand)
        for part in layout.calibration:
            marker = CALIBRATION_MARKER + part.name.encode() + b"\n"
            noise = self._random.randbytes(_CALIBRATION_BLOCKS * layout.block_size_bytes)
            nand.fill(layout.start_sector(part), marker + noise[len(marker) :])
        return SimModule(
            layout,
            nand,
            _calibration(layout, nand),
            self._identity(traits),
            traits=traits,
            timing=timing,
            tolerant=tolerant,
            keep_payload=keep_payload,
            log_out=log_out,
            mishap=mishap,
        )

    def _master(self, version: str) -> Nand:
        if version not in self._masters:
            nand = Nand(_geometry(self.layout), self._store)
            for sector, data in factory_images(self.layout.family, version, self._size_mb):
                if _part_at(self.layout, sector) in self.layout.programmed:
                    nand.fill(sector, data)
            self._masters[version] = nand
        return self._masters[version]

    def _copy_images(self, master: Nand, nand: Nand) -> None:
        for name, length_bytes in image_lengths(self.layout, self._size_mb).items():
            pages = -(-length_bytes // self.layout.sector_size_bytes)
            nand.adopt(master, self.layout.start_sector(self.layout.part(name)), pages)

    def _identity(self, traits: Traits) -> Identity:
        self._made += 1
        tac = FAMILIES[self.layout.family].tac
        some = self._random.randrange(100_000)
        if self._made == 1:
            self._first = some  # no name twice, however many are made
        number = (self._first + 7 * self._made) % 1_000_000
        chip = (0x0AA94EFD + 0x10001 * self._made + (self._first << 8)) & 0xFFFFFFFF
        return Identity(
            imei=traits.imei or with_check_digit(f"{tac}{number:06d}"),
            serial=f"D1Q21A8{self._random.randrange(100):02d}{self._made:07d}P",
            chip_serial=traits.chip_serial or f"{chip:08x}",
            imei_after=with_check_digit(f"{tac}{999_999 - number:06d}"),
        )


def with_check_digit(digits: str) -> str:
    """14 digits and their Luhn digit (3GPP TS 23.003 annex B)."""
    doubled = (int(d) * (1 + i % 2) for i, d in enumerate(digits))
    return f"{digits}{-sum(d // 10 + d % 10 for d in doubled) % 10}"


def other_variant(version: str) -> str:
    """The same release for other hardware: `EC25AFA...` of `EC25EFA...`, `RM500QAE...` of
    `RM500QGL...`."""
    if version.startswith("EC25E"):
        return version.replace("EC25E", "EC25A", 1)
    return version.replace("RM500QGL", "RM500QAE", 1)


def _geometry(layout: Layout) -> Geometry:
    return Geometry(layout.sector_size_bytes, layout.pages_per_block, layout.total_blocks)


def _part_at(layout: Layout, sector: int) -> Part | None:
    block = sector // layout.pages_per_block
    return next(
        (p for p in layout.parts if p.start_block <= block < p.start_block + p.num_blocks), None
    )


def _bad_blocks(layout: Layout) -> tuple[int, ...]:
    """The first block of one image and the second of another."""
    return layout.part("modem").start_block, layout.part(layout.version_partition).start_block + 1


def _with_efs_moved(layout: Layout) -> Layout:
    """EFS2 changes places with the partition behind it."""
    table = list(layout.parts)
    place = next(i for i, part in enumerate(table) if part.name.upper() == "EFS2")
    efs, behind = table[place], table[place + 1]
    table[place] = replace(behind, start_block=efs.start_block)
    table[place + 1] = replace(efs, start_block=efs.start_block + behind.num_blocks)
    return replace(layout, parts=tuple(table))


def _rewrite_partition_table(layout: Layout, nand: Nand) -> None:
    part = layout.partition_table
    nand.erase(part.start_block, part.num_blocks)
    nand.fill(layout.start_sector(part), partition_table(layout))


def _calibration(layout: Layout, nand: Nand) -> dict[str, bytes]:
    part = layout.partition_table
    pages = nand.region(layout.start_sector(part), layout.num_sectors(part))
    table = find_partition_table(b"".join(map(nand.read, pages)), layout.sector_size_bytes)
    return calibration_of(nand, layout, table)
