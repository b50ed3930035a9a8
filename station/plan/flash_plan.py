"""The plan for a NAND module: operations in the order in which they are sent."""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import assert_never

from station.model import FileRef
from station.protocols import firehose


@dataclass(frozen=True, slots=True)
class Geometry(firehose.Geometry):
    """NAND: a sector is a page, an erase block is `pages_per_block` of them."""

    @property
    def block_size_bytes(self) -> int:
        return self.sector_size_bytes * self.pages_per_block


@dataclass(frozen=True, slots=True)
class Region:
    """A named range of sectors, `end_sector` not included."""

    name: str
    start_sector: int
    num_sectors: int

    @property
    def end_sector(self) -> int:
        return self.start_sector + self.num_sectors

    def __str__(self) -> str:
        return f"{self.name or 'unnamed'} (sectors {self.start_sector} to {self.end_sector - 1})"

    def overlaps(self, other: "Region") -> bool:
        return self.start_sector < other.end_sector and other.start_sector < self.end_sector

    def holds(self, other: "Region") -> bool:
        return self.start_sector <= other.start_sector and other.end_sector <= self.end_sector


@dataclass(frozen=True, slots=True)
class Erase:
    start_sector: int
    num_sectors: int
    label: str = ""

    @property
    def region(self) -> Region:
        return Region(self.label, self.start_sector, self.num_sectors)


@dataclass(frozen=True, slots=True)
class Program:
    """`num_sectors` is what the image fills, its last sector padded."""

    image: FileRef
    start_sector: int
    num_sectors: int
    label: str = ""

    @property
    def region(self) -> Region:
        return Region(self.label, self.start_sector, self.num_sectors)


@dataclass(frozen=True, slots=True)
class VendorLine:
    """Sent as it stands in the package; what it does is not known to the plan."""

    line: bytes


Operation = Erase | Program | VendorLine


@dataclass(frozen=True, slots=True)
class FlashPlan:
    """Everything a slot does between `configure` and the read-back.

    Equal plans have equal `sha256`; it goes into the record of each attempt.
    """

    procedure: str
    version: str
    """What the module must report afterwards."""
    verify: str
    geometry: Geometry
    programmer: FileRef
    operations: tuple[Operation, ...]
    partitions: tuple[Region, ...]
    """The package's partition table; one that grows to the end of the chip ends where the
    package's own commands end."""
    protected: tuple[Region, ...]
    """Calibration: EFS2 and, where the family has it, RAWDATA."""
    partition_table: Region
    """Where the table itself lies (MIBIB), on the module as in the package."""

    @property
    def partition_table_sector(self) -> int:
        return self.partition_table.start_sector

    @property
    def partition_table_sectors(self) -> int:
        return self.partition_table.num_sectors

    @property
    def regions(self) -> tuple[Region, ...]:
        """What the operations touch, in their order."""
        return tuple(op.region for op in self.operations if not isinstance(op, VendorLine))

    @property
    def programs(self) -> tuple[Program, ...]:
        return tuple(op for op in self.operations if isinstance(op, Program))

    @property
    def required_sectors(self) -> int:
        """The flash memory must have at least so many."""
        return max((region.end_sector for region in self.regions), default=0)

    @property
    def total_bytes(self) -> int:
        """Payload: the bytes of all images, without padding."""
        return sum(program.image.length_bytes for program in self.programs)

    @property
    def sha256(self) -> str:
        return sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """The whole plan, canonical: sorted keys, no spaces, whole numbers only."""
        document = {
            "procedure": self.procedure,
            "version": self.version,
            "verify": self.verify,
            "sector_size_bytes": self.geometry.sector_size_bytes,
            "pages_per_block": self.geometry.pages_per_block,
            "required_sectors": self.required_sectors,
            "total_bytes": self.total_bytes,
            "programmer": _file(self.programmer),
            "operations": [_operation(operation) for operation in self.operations],
            "partitions": [_region(region) for region in self.partitions],
            "protected": [_region(region) for region in self.protected],
            "partition_table": _region(self.partition_table),
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":"))

    def describe(self) -> str:
        """The plan as a person reads it: a head, then one line per operation."""
        per_block = self.geometry.pages_per_block
        head = [
            ("plan", self.sha256),
            ("procedure", self.procedure),
            ("version", self.version),
            (
                "flash",
                f"sectors of {self.geometry.sector_size_bytes} bytes, {per_block} per block, "
                f"at least {self.required_sectors} sectors",
            ),
            ("programmer", f"{self.programmer.path}  {self.programmer.sha256[:12]}"),
            *(("untouched", str(region)) for region in self.protected),
            ("table at", str(self.partition_table)),
            ("payload", f"{self.total_bytes} bytes in {len(self.programs)} images"),
            ("verify", self.verify),
        ]
        columns = ("#", "operation", "label", "start", "sectors", "blocks", "bytes", "sha256", "")
        rows = [columns, *(self._row(n, op) for n, op in enumerate(self.operations, 1))]
        widths = [max(len(row[column]) for row in rows) for column in range(len(columns))]
        lines = [f"{name:<12}{text}" for name, text in head]
        return "\n".join([*lines, "", *(_aligned(row, widths) for row in rows), ""])

    def _row(self, number: int, operation: Operation) -> tuple[str, ...]:
        match operation:
            case VendorLine(line):
                shown = line.decode("ascii", "backslashreplace").strip()
                return (str(number), "vendor", "", "", "", "", "", "", shown)
            case Erase():
                kind, image = "erase", ("", "", "")
            case Program(file):
                kind, image = "program", (str(file.length_bytes), file.sha256[:12], file.path)
            case _:
                assert_never(operation)
        blocks = -(-operation.num_sectors // self.geometry.pages_per_block)
        place = (operation.start_sector, operation.num_sectors, blocks)
        return (str(number), kind, operation.label, *map(str, place), *image)


_RIGHT_ALIGNED = (0, 3, 4, 5, 6)


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    cells = (
        cell.rjust(width) if column in _RIGHT_ALIGNED else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()


def _file(file: FileRef) -> dict[str, str | int]:
    return {"path": file.path, "sha256": file.sha256, "bytes": file.length_bytes}


def _region(region: Region) -> dict[str, str | int]:
    return {
        "name": region.name,
        "start_sector": region.start_sector,
        "num_sectors": region.num_sectors,
    }


def _operation(operation: Operation) -> dict[str, object]:
    match operation:
        case Erase(start_sector, num_sectors, label):
            what: dict[str, object] = {"operation": "erase"}
        case Program(image, start_sector, num_sectors, label):
            what = {"operation": "program", "image": _file(image)}
        case VendorLine(line):
            return {"operation": "vendor", "line": line.decode("latin-1")}
        case _:
            assert_never(operation)
    return what | {"label": label, "start_sector": start_sector, "num_sectors": num_sectors}
