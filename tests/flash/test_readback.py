"""The read-back: equal bytes pass, skipped bad blocks pass, everything else fails."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import FileChanged, VerifyMismatch
from station.flash.readback import MAX_BAD_BLOCKS, Readback
from station.protocols.dialogue import BytesSource

SECTOR = 4
BLOCK = 16
ERASED = b"\xff" * BLOCK


def flash_of(image: bytes) -> list[bytes]:
    """The erase blocks an image makes: zeros up to the sector, erased up to the block."""
    padded = image + bytes(-len(image) % SECTOR)
    blocks = [padded[at : at + BLOCK] for at in range(0, len(padded), BLOCK)]
    return [block + b"\xff" * (BLOCK - len(block)) for block in blocks]


def read_back(image: bytes, flash: list[bytes], chunk: int = BLOCK) -> int:
    """Serve the blocks the way the verify step asks for them."""
    readback = Readback(BytesSource("image.bin", image), SECTOR, BLOCK)
    while readback.missing_blocks:
        start = readback.next_block
        wanted = flash[start : start + readback.missing_blocks]
        wanted += [ERASED] * (readback.missing_blocks - len(wanted))
        data = b"".join(wanted)
        for at in range(0, len(data), chunk):
            readback.feed(data[at : at + chunk])
    return readback.finish()


def random_image(seed: int, blocks: float) -> bytes:
    return random.Random(seed).randbytes(int(blocks * BLOCK))


@given(st.binary(min_size=1, max_size=200), st.sampled_from([1, 7, BLOCK, 1000]))
def test_an_equal_flash_passes_in_any_pieces(image: bytes, chunk: int) -> None:
    assert read_back(image, flash_of(image), chunk) == 0


@pytest.mark.parametrize("bad", [[0], [1], [2], [0, 1], [1, 3], [3]])
def test_a_shift_by_whole_blocks_is_a_match_with_bad_blocks(bad: list[int]) -> None:
    image = random_image(1, 2.5)
    flash = flash_of(image)
    for index in bad:
        flash.insert(min(index, len(flash) - 1), b"\x00" * BLOCK)
    assert read_back(image, flash) == len(bad)


@given(st.integers(0, 2**32), st.integers(0, 4), st.integers(0, BLOCK - 1), st.integers(1, 255))
def test_one_wrong_byte_never_passes(seed: int, block: int, at: int, flip: int) -> None:
    image = random_image(seed, 5)
    flash = flash_of(image)
    damaged = bytearray(flash[block])
    damaged[at] ^= flip
    flash[block] = bytes(damaged)
    with pytest.raises(VerifyMismatch):
        read_back(image, flash)


@pytest.mark.parametrize("fill", [0x00, 0xFF, 0x55])
@pytest.mark.parametrize("block", [0, 1, 2, 3])
def test_a_damaged_block_among_equal_ones_is_not_taken_for_a_bad_one(fill: int, block: int) -> None:
    image = bytes([fill]) * (4 * BLOCK)
    flash = flash_of(image)
    flash[block] = b"\x77" * BLOCK
    with pytest.raises(VerifyMismatch):
        read_back(image, flash)


@given(st.lists(st.binary(min_size=BLOCK, max_size=BLOCK), min_size=1, max_size=6), st.data())
def test_what_passes_is_the_image_in_order(blocks: list[bytes], data: st.DataObject) -> None:
    """Whatever lies in the flash: a pass means every image block is there, in order."""
    image = b"".join(data.draw(st.permutations(blocks)))
    try:
        bad = read_back(image, blocks)
    except VerifyMismatch:
        return
    wanted = flash_of(image)
    seen = blocks + [ERASED] * (len(wanted) + bad - len(blocks))
    position = 0
    for block in wanted:
        position = seen.index(block, position) + 1
    assert position <= len(wanted) + bad


def test_a_foreign_flash_is_given_up_after_a_bounded_number_of_blocks() -> None:
    image = random_image(3, 4)
    readback = Readback(BytesSource("image.bin", image), SECTOR, BLOCK)
    readback.feed(b"\x11" * BLOCK * MAX_BAD_BLOCKS)
    with pytest.raises(VerifyMismatch, match=r"image\.bin: the flash differs from block 0 on"):
        readback.feed(b"\x11" * BLOCK)


def test_an_image_that_shrank_on_disk_is_told_as_such() -> None:
    class Shrunk(BytesSource):
        def pread(self, offset_bytes: int, length_bytes: int) -> bytes:
            return self.data[offset_bytes : offset_bytes + length_bytes // 2]

    readback = Readback(Shrunk("image.bin", bytes(BLOCK)), SECTOR, BLOCK)
    with pytest.raises(FileChanged, match=r"image\.bin"):
        readback.feed(bytes(BLOCK))
