"""Results that wait on disk: whole or not there, in order, and never trusted blindly."""

import errno
import hashlib
import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from station.errors import ResultSetAside
from station.model import AttemptRecord
from station.store.pending import Pending, Result
from station.store.pending import _encoded as encoded
from tests.store.samples import BOOT, IDENTIFY, PROGRAM, READ_BY_SAHARA, attempt, failed, verdict


def result(**changes: object) -> Result:
    opened = attempt(**changes)
    record = AttemptRecord(opened, verdict(opened), (IDENTIFY, PROGRAM), (BOOT,))
    return Result(record, (READ_BY_SAHARA,))


@pytest.fixture
def pending(tmp_path: Path) -> Pending:
    made = Pending(tmp_path / "station.db.pending")
    made.prepare()
    return made


def test_a_result_comes_back_as_it_was(pending: Pending) -> None:
    passed, opened = result(slot="é\0"), attempt(recipe=None, package=None, plan_json=None)
    bad = Result(AttemptRecord(opened, failed(opened), (), ()))
    for number, one in enumerate((passed, bad), 1):
        place = pending.write(number, one)
        assert pending.read(place) == one
        assert stat.S_IMODE(place.stat().st_mode) == 0o640
    assert sorted(pending.files()) == [1, 2]


def test_words_that_no_file_takes_are_kept_as_far_as_they_go(pending: Pending) -> None:
    place = pending.write(1, result(slot="A\ud800"))
    assert pending.read(place).record.opened.slot == "A\ufffd"


def test_a_write_is_synced_before_it_has_its_name(
    pending: Pending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file, then the folder that knows its name."""
    seen: list[tuple[bool, list[str]]] = []
    sync = os.fsync

    def watched(fd: int) -> None:
        names = sorted(p.suffix for p in pending.folder.iterdir() if p.name != "reserve")
        seen.append((stat.S_ISDIR(os.fstat(fd).st_mode), names))
        sync(fd)

    monkeypatch.setattr(os, "fsync", watched)
    pending.write(1, result())
    assert seen == [(False, [".draft"]), (True, [".json"])]


@pytest.mark.parametrize("is_prepared", [True, False])
def test_the_folder_is_synced_into_its_parent_before_anything_lies_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_prepared: bool
) -> None:
    pending = Pending(tmp_path / "station.db.pending")
    synced: list[tuple[Path, bool]] = []

    def watched(folder: Path) -> None:
        synced.append((folder, any(pending.folder.iterdir())))

    monkeypatch.setattr("station.store.pending.sync_folder", watched)
    if is_prepared:
        pending.prepare()
    pending.write(1, result())
    assert synced == [(tmp_path, False), (pending.folder, True)]


def test_on_a_full_disk_the_reserve_makes_room(
    pending: Pending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full for as long as the reserve lies on it."""
    sync, reserve = os.fsync, pending.folder / "reserve"
    assert reserve.stat().st_blocks * 512 >= 4 << 20

    def full(fd: int) -> None:
        if reserve.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(fd)

    monkeypatch.setattr(os, "fsync", full)
    kept = result()
    assert pending.read(pending.write(1, kept)) == kept
    monkeypatch.undo()
    pending.prepare()
    assert reserve.exists()


def test_a_write_that_fails_leaves_nothing(
    pending: Pending, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output"):
        pending.write(1, result())
    assert [path.name for path in pending.folder.iterdir()] == ["reserve"]


def test_what_a_power_cut_left_half_written_is_swept(pending: Pending) -> None:
    (pending.folder / "000001-x.json.draft").write_bytes(b"half")
    pending.prepare()
    assert [path.name for path in pending.folder.iterdir()] == ["reserve"]


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _edited(data: bytes) -> bytes:
    return data.replace(b'"PASS"', b'"FAIL"')


def _later(data: bytes) -> bytes:
    return data.replace(b'"version": 1', b'"version": 2')


def _forged(_: bytes) -> bytes:
    line = json.dumps({"record": {}}).encode()
    head = {"version": 1, "sha256": hashlib.sha256(line).hexdigest()}
    return json.dumps(head).encode() + b"\n" + line + b"\n"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda _: b"", "does not begin"),
        (lambda _: b"[" * 100_000, "does not begin"),
        (lambda _: b"[]\n", "does not begin"),
        (_cut, "cut short or changed"),
        (_edited, "cut short or changed"),
        (_later, "the version 2"),
        (_forged, "holds no result"),
        (lambda data: data + b" " * (17 << 20), "more than 16 MB"),
    ],
    ids=["empty", "deep", "list", "cut", "edited", "later", "forged", "huge"],
)
def test_what_is_not_as_it_was_written_is_no_result(
    pending: Pending, damage: Callable[[bytes], bytes], words: str
) -> None:
    place = pending.write(1, result())
    place.write_bytes(damage(place.read_bytes()))
    with pytest.raises(ResultSetAside, match=words) as raised:
        pending.read(place)
    assert str(place) in raised.value.cause


def test_a_file_under_the_name_of_another_is_no_result(pending: Pending) -> None:
    place = pending.write(1, result())
    place.write_bytes(encoded(result()))
    with pytest.raises(ResultSetAside, match="another attempt"):
        pending.read(place)


def test_an_attempt_without_its_verdict_is_no_result(pending: Pending) -> None:
    whole = result()
    place = pending.write(1, Result(replace(whole.record, closed=None)))
    with pytest.raises(ResultSetAside, match="without its verdict"):
        pending.read(place)


def test_links_folders_and_pipes_are_no_files(pending: Pending) -> None:
    outside = pending.folder.parent / "outside"
    outside.write_bytes(encoded(result()))
    link, folder, pipe = (pending.folder / name for name in ("link", "folder", "pipe"))
    link.symlink_to(outside)
    folder.mkdir()
    os.mkfifo(pipe)
    for place in (link, folder, pipe):
        with pytest.raises(ResultSetAside):
            pending.read(place)


def test_what_is_set_aside_keeps_its_bytes_and_hides_no_other(pending: Pending) -> None:
    place = pending.write(1, result())
    data = place.read_bytes()
    first = pending.set_aside(place, "damaged")
    place.write_bytes(b"another")
    second = pending.set_aside(place, "damaged")
    assert (first.read_bytes(), second.read_bytes()) == (data, b"another")
    assert pending.files() == {}
    assert pending.aside() == (first, second)


def test_other_names_are_not_looked_at(pending: Pending) -> None:
    (pending.folder / "notes.json").write_text("{}")
    (pending.folder / "1-x.json").write_text("{}")
    assert pending.files() == {}
    assert pending.aside() == ()
