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


@dataclass(slots=True)
class Upload:
    """A `program` command under way. `announced`: the host has read the ACK."""

    start_page: int
    left_bytes: int
    pages: Iterator[int]
    spoil: bool = False
    announced: bool = False
    page: bytearray = field(default_factory=bytearray)
    last: int = -1
    shifted: bool = False


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
        spoils_program: int | None = None,
    ) -> None:
        self._nand = nand
        self._shown = shown
        self._keeps = keeps
        self._referee = referee
        self._raw_reads = raw_reads
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

    def everything(self) -> dict[str, str]:
        return {"start_sector": "0", "num_partition_sectors": str(self._shown.pages)}

    def scans_bad_blocks(self) -> bool:
        """Whether this is the first erase, which looks for bad blocks before."""
        first, self._scanned = not self._scanned, True
        return first

    def extent(self, attributes: Mapping[str, str]) -> Extent:
        """The region of a command, checked against the geometry. Raises FirehoseError."""
        shown = self._shown
        if number(attributes, "SECTOR_SIZE_IN_BYTES") != shown.page_bytes:
            raise FirehoseError(
                f"SECTOR_SIZE_IN_BYTES must equal the disk sector size {shown.page_bytes}"
            )
        per_block = attributes.get("PAGES_PER_BLOCK")
        if per_block is not None and per_block != str(shown.pages_per_block):
            raise FirehoseError(
                f"PAGES_PER_BLOCK must equal the disk's pages per block {shown.pages_per_block}"
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
        page = next(upload.pages, None)
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
