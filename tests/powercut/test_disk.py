"""A disk that loses what was not flushed, from a log of literal bytes."""

import io
import struct
from random import Random

import pytest

from tests.powercut.disk import FLUSH, FUA, MAGIC, PIECE_BYTES, Lost, replay

PIECE = PIECE_BYTES // 512


def log_of(*entries: tuple[int, int, bytes]) -> io.BytesIO:
    """Of first sector, flags and data each."""
    whole = struct.pack("<3QI", MAGIC, 1, len(entries), 512).ljust(512, b"\0")
    for start, flags, data in entries:
        whole += struct.pack("<4Q", start, len(data) // 512, flags, 0).ljust(512, b"\0") + data
    return io.BytesIO(whole)


def test_what_was_flushed_is_there_and_of_the_rest_some() -> None:
    many = b"".join(bytes([number]) * PIECE_BYTES for number in range(1, 101))
    log = log_of((0, 0, b"a" * 512), (0, FLUSH, b""), (PIECE, 0, many))
    disk = io.BytesIO(bytes(102 * PIECE_BYTES))
    lost = replay(log, disk, Random(1))
    assert disk.getvalue()[:512] == b"a" * 512
    kept = [disk.getvalue()[PIECE_BYTES * n] for n in range(1, 101)]
    assert all(found in (0, number) for number, found in enumerate(kept, start=1))
    assert lost == Lost(100, kept.count(0))
    assert 30 < lost.lost < 70


def test_later_writes_lie_over_earlier_ones_and_what_forces_its_way_stays() -> None:
    log = log_of((0, 0, b"a" * 512), (0, 0, b"b" * 512), (0, FLUSH, b""), (1, FUA, b"c" * 512))
    disk = io.BytesIO(bytes(1024))
    assert replay(log, disk, Random(1)) == Lost(0, 0)
    assert disk.getvalue() == b"b" * 512 + b"c" * 512


def test_another_files_bytes_are_no_log() -> None:
    with pytest.raises(ValueError, match="the disk's log begins with"):
        replay(io.BytesIO(bytes(512)), io.BytesIO(), Random(1))
