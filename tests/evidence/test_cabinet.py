"""Files by digest: whole or not there, found again, never followed elsewhere."""

import errno
import gzip
import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from station.errors import EvidenceDamaged, EvidenceMissing, EvidenceNotKept
from station.evidence.cabinet import MAX_BYTES, ORPHAN_S, Cabinet, unpack
from station.evidence.reading import read_transcript
from station.model import EvidenceRef
from station.store.ids import new_id

DATA = b'{"format":"station-transcript/1"}\n{"t":0,"k":"step","text":"identify"}\n'


def file_of(cabinet: Cabinet, ref: EvidenceRef) -> Path:
    return cabinet.root / ref.sha256[:2] / f"{ref.sha256}.jsonl.gz"


def test_a_file_is_named_by_its_digest_and_equal_content_is_equal_bytes(tmp_path: Path) -> None:
    cabinet = Cabinet(tmp_path / "evidence")
    ref = cabinet.put(DATA)
    file = file_of(cabinet, ref)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == ref.sha256
    assert (ref.length_bytes, ref.stored_bytes) == (len(DATA), file.stat().st_size)
    assert file.stat().st_mode & 0o007 == 0
    assert cabinet.put(DATA) == ref
    assert cabinet.read(ref) == DATA
    assert [path for path in cabinet.root.rglob("*") if path.is_file()] == [file]


def test_a_changed_or_missing_file_is_named(tmp_path: Path) -> None:
    cabinet = Cabinet(tmp_path)
    ref = cabinet.put(DATA)
    file = file_of(cabinet, ref)
    file.write_bytes(gzip.compress(DATA + b"{}\n"))
    with pytest.raises(EvidenceDamaged, match=ref.sha256):
        cabinet.read(ref)
    file.unlink()
    with pytest.raises(EvidenceMissing, match=ref.sha256):
        cabinet.read(ref)
    with pytest.raises(EvidenceMissing):
        Cabinet(tmp_path / "nowhere").read(ref)


def test_no_link_is_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    cabinet = Cabinet(tmp_path / "evidence")
    ref = cabinet.put(DATA)
    file = file_of(cabinet, ref)
    moved = file.rename(elsewhere / file.name)
    file.symlink_to(moved)
    with pytest.raises(EvidenceMissing):
        cabinet.read(ref)
    file.unlink()
    file.parent.rmdir()
    file.parent.symlink_to(elsewhere)
    with pytest.raises(EvidenceMissing):
        cabinet.read(ref)
    moved.unlink()
    with pytest.raises(EvidenceNotKept):
        cabinet.put(DATA)
    assert list(elsewhere.iterdir()) == []


def test_a_pipe_in_the_place_of_a_file_makes_nobody_wait(tmp_path: Path) -> None:
    cabinet = Cabinet(tmp_path)
    ref = cabinet.put(DATA)
    file_of(cabinet, ref).unlink()
    os.mkfifo(file_of(cabinet, ref))
    with pytest.raises(EvidenceMissing, match="plain file"):
        cabinet.read(ref)


def test_a_full_disk_leaves_no_half_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cabinet = Cabinet(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EvidenceNotKept, match="No space left"):
        cabinet.put(DATA)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_spool_is_adopted_without_its_torn_line(tmp_path: Path) -> None:
    cabinet, attempt_id = Cabinet(tmp_path), new_id()
    cabinet.spool(attempt_id, DATA)
    cabinet.spool(attempt_id, b'{"t":9,"k":"se')
    ref = cabinet.adopt(attempt_id)
    assert ref is not None
    assert cabinet.read(ref) == DATA
    cabinet.drop(attempt_id)
    cabinet.drop(attempt_id)
    assert cabinet.adopt(attempt_id) is None


def test_a_spool_that_cannot_be_adopted_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int, __: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    cabinet, attempt_id = Cabinet(tmp_path), new_id()
    assert cabinet.adopt(attempt_id) is None
    cabinet.spool(attempt_id, DATA)
    with monkeypatch.context() as patched:
        patched.setattr("station.evidence.cabinet._write", full)
        with pytest.raises(EvidenceNotKept, match="No space left"):
            cabinet.adopt(attempt_id)
    assert cabinet.spooled(attempt_id) == DATA


def test_a_spool_that_cannot_be_read_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_many(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    cabinet, attempt_id = Cabinet(tmp_path), new_id()
    cabinet.spool(attempt_id, DATA)
    monkeypatch.setattr(os, "open", too_many)
    with pytest.raises(EvidenceNotKept, match="Too many open files"):
        cabinet.adopt(attempt_id)


@pytest.mark.parametrize("name", ["../x", "a1", "", "01a220b2-2a90-737d-93da-ae67606d0c9f/../x"])
def test_what_is_no_attempt_is_never_a_path(tmp_path: Path, name: str) -> None:
    cabinet = Cabinet(tmp_path / "in" / "evidence")
    with pytest.raises(EvidenceNotKept, match="no attempt"):
        cabinet.spool(name, DATA)
    with pytest.raises(EvidenceNotKept, match="no attempt"):
        cabinet.adopt(name)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_only_spools_that_nobody_will_ask_for_are_swept(tmp_path: Path) -> None:
    cabinet, old, new = Cabinet(tmp_path), new_id(), new_id()
    cabinet.sweep()  # no folder yet
    for attempt_id in (old, new):
        cabinet.spool(attempt_id, DATA)
    path = tmp_path / "open" / f"{old}.jsonl"
    long_ago_s = path.stat().st_mtime - ORPHAN_S - 60
    os.utime(path, (long_ago_s, long_ago_s))
    cabinet.sweep()
    assert [file.name for file in (tmp_path / "open").iterdir()] == [f"{new}.jsonl"]


# --- hostile files ----------------------------------------------------------------------------


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(64 * MAX_BYTES))
    with pytest.raises(EvidenceDamaged, match="unpacks to more"):
        unpack(bomb, "x")


def test_a_whole_file_and_nothing_else() -> None:
    packed = gzip.compress(DATA)
    assert unpack(packed, "x") == DATA
    with pytest.raises(EvidenceDamaged, match="follows its end"):
        unpack(packed + packed, "x")
    for end in range(len(packed)):
        with pytest.raises(EvidenceDamaged):
            unpack(packed[:end], "x")


@given(st.data())
def test_a_damaged_file_is_damaged_and_nothing_worse(data: st.DataObject) -> None:
    packed = bytearray(gzip.compress(DATA * 20))
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(10, len(packed) - 1))
        packed[place] ^= data.draw(st.integers(1, 255))
    try:
        unpacked = unpack(bytes(packed), "x")
    except EvidenceDamaged:
        return
    assert unpacked == DATA * 20


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
)
_FIELDS = st.dictionaries(st.sampled_from(["t", "k", "text", "hex", "format", "bytes"]), _JSON)


@settings(suppress_health_check=[HealthCheck.too_slow])  # of a machine that does other things, too
@given(st.lists(st.binary(max_size=40) | _FIELDS, max_size=4), st.booleans())
def test_hostile_lines_are_damaged_and_nothing_worse(
    lines: list[bytes | dict[str, object]], with_header: bool
) -> None:
    text = DATA if with_header else b""
    for line in lines:
        text += line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"
    try:
        read_transcript(text)
    except EvidenceDamaged:
        return
    assert text.startswith(DATA)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        DATA.replace(b"/1", b"/2"),
        DATA + b"[" * 100_000 + b"\n",
        DATA + b'{"t":-1,"k":"step"}\n',
        DATA + b'{"t":true,"k":"step"}\n',
        DATA + b'{"t":NaN,"k":"step"}\n',
        DATA + b'{"t":1,"k":"send","hex":"0"}\n',
        DATA + b'{"t":1,"k":"send","text":"\\u00e9"}\n',
        DATA + b'{"t":1' + b"0" * 5000 + b',"k":"step"}\n',
        DATA + b'{"t":1,"k":"step","text":["a"]}\n',
        DATA + b'{"t":1,"k":"step"}',
        DATA + b"\n" * 300_000,
    ],
)
def test_what_is_no_transcript_is_refused(text: bytes) -> None:
    with pytest.raises(EvidenceDamaged):
        read_transcript(text)
