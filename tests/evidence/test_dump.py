"""What is read out of a module reaches the cabinet whole, or leaves nothing."""

import gzip
import hashlib
import os
import random
from pathlib import Path

import pytest

from station.errors import EvidenceDamaged, EvidenceNotKept
from station.evidence.cabinet import MAX_BYTES, MAX_DUMP_BYTES, Cabinet
from station.evidence.dump import Dump
from station.model import EvidenceRef
from station.store.ids import new_id

PIECE_BYTES = 1 << 20
MEMORY = random.Random(1).randbytes(6 * PIECE_BYTES + 2048)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def dump_of(data: bytes, cabinet: Cabinet) -> EvidenceRef:
    dump = Dump(cabinet, new_id())
    for at in range(0, len(data), PIECE_BYTES):
        dump.add(data[at : at + PIECE_BYTES])
    return dump.keep()


def test_it_is_kept_by_the_digest_of_its_file_and_read_back(tmp_path: Path) -> None:
    cabinet = Cabinet(tmp_path)
    ref = dump_of(MEMORY, cabinet)
    (file,) = files(tmp_path)
    assert file.name == f"{ref.sha256}.bin.gz"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == ref.sha256
    assert (ref.kind, ref.length_bytes) == ("efs2", len(MEMORY))
    assert ref.stored_bytes == file.stat().st_size
    assert file.stat().st_mode & 0o007 == 0
    assert gzip.decompress(file.read_bytes()) == MEMORY
    assert len(MEMORY) > MAX_BYTES
    assert cabinet.read(ref) == MEMORY
    assert dump_of(MEMORY, cabinet) == ref
    assert files(tmp_path) == [file]


def test_one_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    dump = Dump(Cabinet(tmp_path), new_id())
    dump.add(MEMORY)
    assert len(files(tmp_path)) == 1
    dump.drop()
    assert files(tmp_path) == []


def test_what_was_left_by_another_is_not_taken_along(tmp_path: Path) -> None:
    cabinet, attempt_id = Cabinet(tmp_path), new_id()
    Dump(cabinet, attempt_id).add(MEMORY)
    again = Dump(cabinet, attempt_id)
    again.add(MEMORY)
    with pytest.raises(EvidenceNotKept, match="bytes, not"):
        again.keep()


def test_it_has_a_bound(tmp_path: Path) -> None:
    dump = Dump(Cabinet(tmp_path), new_id())
    piece = bytes(MAX_DUMP_BYTES // 4)
    for _ in range(4):
        dump.add(piece)
    with pytest.raises(EvidenceNotKept, match="more than"):
        dump.add(b"1")


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EvidenceNotKept, match="No space left"):
        dump_of(MEMORY, Cabinet(tmp_path))


def test_evidence_of_an_unknown_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvidenceDamaged, match="kind 'photo'"):
        Cabinet(tmp_path).read(EvidenceRef("photo", "ab" * 32, 1, 1))


def test_the_spools_of_an_attempt_go_together(tmp_path: Path) -> None:
    cabinet, attempt_id = Cabinet(tmp_path), new_id()
    cabinet.spool(attempt_id, b"{}\n")
    Dump(cabinet, attempt_id).add(MEMORY)
    cabinet.drop(attempt_id)
    assert files(tmp_path) == []
