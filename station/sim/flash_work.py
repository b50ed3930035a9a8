"""What a programmer does with the flash: geometry checks, erase, program, read.

Refusals raise FirehoseError with the words a 9x07 programmer logs.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from station.errors import FirehoseError
from station.sim.firehose_words import number
from station.sim.nand import Geometry, Nand
from station.sim.referee import Referee

TRANSFER_BYTES = 16384
VENDOR_ORDER = (
    "vendor",
    "a_rawdata_start_sector",
    "b_rawdata_num_sector",
    "c_project_name",
    "d_project_type",
)


@dataclass(frozen=True, slots=True)
class Extent:
    """A region as a command names it, in pages."""

    start_page: int
    pages: int

    def overlaps(self, other: "Extent") -> bool:
        return (
            self.start_page < other.start_page + other.pages
            and other.start_page < self.start_page + self.pages
        )


@dataclass(slots=True)
class Upload:
    """A `program` command under way. `announced`: the host has read the ACK."""

    start_page: int
    pages: int
    left_bytes: int
    places: Iterator[int]
    spoil: bool = False
    announced: bool = False
    page: bytearray = field(default_factory=bytearray)
    last: int = -1
    shifted: bool = False

    def announce(self) -> None:
        self.announced = True

    def broken_rule(self, length_bytes: int, payload_bytes: int) -> str | None:
        """What is wrong with a transfer of this length: all but the last fill the payload."""
        due_bytes = min(self.left_bytes, payload_bytes)
        if not self.announced:
            return "raw data before the ACK was read"
        if length_bytes > payload_bytes:
            return f"raw transfer of {length_bytes} bytes, negotiated are {payload_bytes}"
        if length_bytes > self.left_bytes:
            return f"{length_bytes - self.left_bytes} bytes more than announced"
        if length_bytes < due_bytes:
            return f"raw transfer of {length_bytes} bytes where {due_bytes} were due"
        return None


class FlashWork:
    """The flash behind a programmer. `shown` is the geometry it claims to have."""

    def __init__(
        self,
        nand: Nand,
        shown: Geometry,
        keeps: tuple[Extent, ...],
        referee: Referee,
        *,
        raw_reads: bool = False,
        hides_kept: bool = False,
        spoils_program: int | None = None,
    ) -> None:
        self._nand = nand
        self._shown = shown
        self._keeps = keeps
        self._referee = referee
        self._raw_reads = raw_reads
        self._hides_kept = hides_kept
        self._spoils_program = spoils_program
        self._scanned = False

    def storage_info(self) -> str:
        """The JSON of getstorageinfo, on one line."""
        shown = self._shown
        facts = {
            "total_blocks": shown.blocks,
            "block_size": shown.block_bytes,
            "page_size": shown.page_bytes,
            "num_physical": 1,
            "serial_num": 0,
            "fw_version": "0",
            "mem_type": "NAND",
            "prod_name": "SIMULATED NAND",
        }
        return json.dumps({"storage_info": facts}, separators=(",", ":"))

    @property
    def has_erased(self) -> bool:
        """Whether it was told to erase anything."""
        return self._scanned

    def is_kept(self, page: int) -> bool:
        """Of what belongs to the unit."""
        return any(e.start_page <= page < e.start_page + e.pages for e in self._keeps)

    def everything(self) -> dict[str, str]:
        return {"start_sector": "0", "num_partition_sectors": str(self._shown.pages)}

    def scans_bad_blocks(self) -> bool:
        """Whether this is the first erase, which looks for bad blocks before."""
        first, self._scanned = not self._scanned, True
        return first

    def extent(self, attributes: Mapping[str, str]) -> Extent:
        """The region of a command, checked against the geometry. Raises FirehoseError."""
        shown = self._shown
        self.check_partition(attributes)
        self._check_geometry(
            attributes, "SECTOR_SIZE_IN_BYTES", "the disk sector size", shown.page_bytes
        )
        self._check_geometry(
            attributes, "PAGES_PER_BLOCK", "the disk's pages per block", shown.pages_per_block
        )
        start, pages = (
            number(attributes, "start_sector"),
            number(attributes, "num_partition_sectors"),
        )
        if pages == 0:
            raise FirehoseError("num_partition_sectors is 0")
        if start + pages > min(shown.pages, self._nand.geometry.pages):
            raise FirehoseError(f"programming region {start}+{pages} exceeds total block count")
        return Extent(start, pages)

    def check_partition(self, attributes: Mapping[str, str]) -> None:
        """NAND is one physical partition, number 0, named or not. Raises FirehoseError."""
        named = attributes.get("physical_partition_number", "0")
        if named != "0":
            self._object(f"physical_partition_number {named} on NAND, which has only 0")

    def _check_geometry(
        self, attributes: Mapping[str, str], name: str, whose: str, value: int
    ) -> None:
        """A wrong value is a package for other flash; none at all is a host that does not care."""
        if name not in attributes:
            self._object(f"a region without {name}")
        elif number(attributes, name) != value:
            raise FirehoseError(f"{name} must equal {whose} {value}")

    def _object(self, what: str) -> None:
        if not self._referee.breach("firehose", what):
            raise FirehoseError(what)

    def erase_extent(self, attributes: Mapping[str, str]) -> Extent:
        """The region of an erase, in whole blocks. Raises FirehoseError."""
        extent = self.extent(attributes)
        for name, value in (
            ("start_sector", extent.start_page),
            ("num_partition_sectors", extent.pages),
        ):
            if value % self._shown.pages_per_block:
                raise FirehoseError(f"{name} {value} unaligned")
        return extent

    def erase(self, extent: Extent) -> int:
        """Erase whole blocks, the bad ones skipped; how many were erased."""
        per_block = self._nand.geometry.pages_per_block
        first = extent.start_page // per_block
        last = -(-(extent.start_page + extent.pages) // per_block)
        return self._nand.erase(first, last - first)

    def vendor_erase(self, names: tuple[str, ...], attributes: Mapping[str, str]) -> int:
        """Erase all but calibration; with attributes in any other order, calibration too."""
        in_order = names == tuple(name for name in VENDOR_ORDER if name in attributes)
        kept: set[int] = set()
        if in_order:
            per_block = self._nand.geometry.pages_per_block
            for extent in self._keeps:
                first = extent.start_page // per_block
                kept.update(range(first, first + extent.pages // per_block))
        blocks = [block for block in range(self._nand.geometry.blocks) if block not in kept]
        return sum(self._nand.erase(block, 1) for block in blocks)

    def begin(self, extent: Extent, ordinal: int) -> Upload:
        """Open a program command; the first page must begin a block. Raises FirehoseError."""
        if extent.start_page % self._shown.pages_per_block:
            raise FirehoseError(f"start_sector {extent.start_page} unaligned")
        return Upload(
            extent.start_page,
            extent.pages,
            extent.pages * self._shown.page_bytes,
            self._nand.region(extent.start_page, extent.pages),
            spoil=ordinal == self._spoils_program,
        )

    def write(self, upload: Upload, data: bytes) -> None:
        """Program what makes whole pages. Raises FirehoseError where the flash refuses."""
        size = self._nand.geometry.page_bytes
        upload.left_bytes -= len(data)
        if not upload.page and len(data) % size == 0:  # the usual case, without a copy
            whole = data
        else:
            upload.page += data
            end = len(upload.page) // size * size
            whole = bytes(upload.page[:end])
            del upload.page[:end]
        for at in range(0, len(whole), size):
            self._program(upload, whole[at : at + size])

    def _program(self, upload: Upload, data: bytes) -> None:
        page = next(upload.places, None)
        if page is None:
            raise FirehoseError("programming region exceeds total block count")
        expected = upload.start_page if upload.last < 0 else upload.last + 1
        upload.shifted |= page != expected
        upload.last = page
        if upload.spoil:
            upload.spoil = False
            data = data[:-1] + bytes((data[-1] ^ 0x01,))
        if self._nand.program(page, data):
            return
        what = f"program of page {page}, which is not erased"
        if upload.shifted or not self._referee.breach("nand", what):
            raise FirehoseError(f"{what}: HANDLE_PROGRAM_FAILURE")

    def may_read(self, extent: Extent) -> bool:
        """Whether nothing of the region is broken for reading."""
        return not self._hides_kept or not any(map(extent.overlaps, self._keeps))

    def read(self, extent: Extent, *, ends_empty: bool) -> Iterator[bytes]:
        """The region as IN transfers; what lies behind the end of the flash reads as 0xFF."""
        size = self._nand.geometry.page_bytes
        pages = self._nand.region(extent.start_page, extent.pages, raw=self._raw_reads)
        left = extent.pages
        while left:
            count = min(left, TRANSFER_BYTES // size)
            left -= count
            piece = b"".join(map(self._nand.read, islice(pages, count)))
            yield piece.ljust(count * size, b"\xff")
        if ends_empty:
            yield b""
