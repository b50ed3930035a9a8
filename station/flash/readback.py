"""Is the image in the flash, bad blocks allowed for?

A NAND programmer skips bad blocks while it writes, and readers come in two kinds: those that
skip the same blocks (the image reads back as it was sent) and those that do not (everything
behind a bad block reads one block later). So a block that differs is first taken for a skipped
one. That must be proven: the blocks behind it must contradict "same place, wrong bytes".
Without that proof a damaged block among equal ones would pass.
"""

from dataclasses import dataclass, field

from station.errors import VerifyMismatch
from station.protocols.dialogue import Source, read_exact

MAX_BAD_BLOCKS = 40
"""NAND data sheets allow 2 % bad blocks over the life of a chip of 2048 blocks."""

_ERASED = 0xFF


@dataclass(slots=True)
class Readback:
    """Compares what is read, block by block, with the image. `block_bytes` is an erase block."""

    source: Source
    sector_bytes: int
    block_bytes: int
    bad_blocks: int = 0
    _matched: int = 0
    _fed: int = 0
    _buffer: bytearray = field(default_factory=bytearray)
    _unproven: list[int] = field(default_factory=list)
    """For each skip not proven yet: device block index minus image block index before it."""

    @property
    def num_blocks(self) -> int:
        """Erase blocks that the image takes."""
        return -(-self.source.length_bytes // self.block_bytes)

    @property
    def missing_blocks(self) -> int:
        """Blocks that must still be read; zero when every block of the image was found."""
        return self.num_blocks - self._matched

    @property
    def next_block(self) -> int:
        """Where to read on, counted from the first block of the image's place."""
        return self._fed

    def feed(self, data: bytes) -> None:
        """Bytes as they are read. Raises VerifyMismatch when too many blocks differ."""
        self._buffer += data
        while len(self._buffer) >= self.block_bytes:
            block = bytes(self._buffer[: self.block_bytes])
            del self._buffer[: self.block_bytes]
            if self.missing_blocks:
                self._compare(block)

    def finish(self) -> int:
        """The number of bad blocks that the module skipped. Raises VerifyMismatch."""
        if self.missing_blocks:
            raise VerifyMismatch(
                f"{self.source.name}: {self.missing_blocks} of {self.num_blocks} blocks "
                f"were not found in the flash"
            )
        if self._unproven:
            raise VerifyMismatch(f"{self.source.name}: the flash holds other bytes than were sent")
        return self.bad_blocks

    def _compare(self, block: bytes) -> None:
        index, self._fed = self._fed, self._fed + 1
        if _holds(block, self._expected(self._matched)):
            self._unproven = [
                shift for shift in self._unproven if _holds(block, self._expected(index - shift))
            ]
            self._matched += 1
            return
        self._unproven.append(self.bad_blocks)
        self.bad_blocks += 1
        if self.bad_blocks > MAX_BAD_BLOCKS:
            raise VerifyMismatch(
                f"{self.source.name}: the flash differs from block {self._matched} on"
            )

    def _expected(self, image_block: int) -> bytes:
        """What the image puts into this block: its bytes, zeros up to the sector, then erased."""
        offset = image_block * self.block_bytes
        length = min(self.block_bytes, self.source.length_bytes - offset)
        if length <= 0:
            return bytes([_ERASED]) * self.block_bytes
        data = read_exact(self.source, offset, length)
        return data + bytes(-length % self.sector_bytes)


def _holds(block: bytes, expected: bytes) -> bool:
    return block[: len(expected)] == expected
