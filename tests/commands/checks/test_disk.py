"""Mounts, room, what a database cannot live on."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.commands.checks.disk import Mount, disks, mount_of, read_mounts
from station.commands.checks.finding import Grade
from station.engine.health import RESERVE_BYTES
from tests.commands.checks.conftest import Machine, found, only, wrong

MANY = 1 << 20


def full(
    monkeypatch: pytest.MonkeyPatch, free_bytes: int, *, flags: int = 0, files: int = MANY
) -> None:
    state = SimpleNamespace(
        f_bavail=free_bytes // 4096, f_frsize=4096, f_flag=flags, f_files=MANY, f_favail=files
    )
    monkeypatch.setattr(os, "statvfs", lambda _: state)


def test_a_disk_with_room(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    full(monkeypatch, 8 * RESERVE_BYTES)
    assert {finding.grade for finding in found(disks, machine)} == {Grade.OK}


def test_a_folder_that_both_would_be_made_in_is_told_once(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    full(monkeypatch, 8 * RESERVE_BYTES)
    told = [finding for finding in found(disks, machine) if finding.what.endswith("MB free")]
    assert len(told) == 2
    text = machine.config.read_text().replace("store: store", "store: not/yet")
    machine.config.write_text(text)
    (only_one,) = (f for f in found(disks, machine) if f.what.endswith("MB free"))
    assert only_one.where == str(machine.config.parent)


def test_the_nearer_the_end_the_worse(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    full(monkeypatch, 2 * RESERVE_BYTES)
    assert {finding.grade for finding in wrong(disks, machine)} == {Grade.WARN}
    full(monkeypatch, RESERVE_BYTES // 2)
    assert {finding.grade for finding in wrong(disks, machine)} == {Grade.BAD}


def test_a_read_only_disk(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    full(monkeypatch, 8 * RESERVE_BYTES, flags=os.ST_RDONLY)
    assert {finding.what for finding in wrong(disks, machine)} == {"the disk is mounted read-only"}


def test_room_for_bytes_but_not_for_files(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    full(monkeypatch, 8 * RESERVE_BYTES, files=3)
    assert {finding.what for finding in wrong(disks, machine)} == {"only 3 files fit"}


@pytest.mark.parametrize(
    ("kind", "grade"), [("nfs4", Grade.BAD), ("fuse.sshfs", Grade.BAD), ("tmpfs", Grade.WARN)]
)
def test_where_a_database_must_not_lie(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, kind: str, grade: Grade
) -> None:
    full(monkeypatch, 8 * RESERVE_BYTES)
    folder = machine.config.parent
    with (machine.root / "proc/self/mountinfo").open("a") as mounts:
        mounts.write(f"40 22 0:44 / {folder} rw - {kind} server:/share rw\n")
    finding = only(disks, machine)
    assert finding.grade is grade
    assert kind in finding.what


def test_without_mounts_nobody_can_tell(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    full(monkeypatch, 8 * RESERVE_BYTES)
    (machine.root / "proc/self/mountinfo").unlink()
    assert only(disks, machine).grade is Grade.CANNOT_TELL


def test_a_mount_with_a_space_and_one_over_another(tmp_path: Path) -> None:
    file = tmp_path / "mountinfo"
    file.write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "2 1 8:2 / /a\\040b rw shared:3 master:1 - xfs /dev/sdb1 rw\n"
        "3 1 0:5 / /a\\040b rw - nfs server:/x rw\n"
    )
    mounts = read_mounts(file)
    assert mount_of(Path("/a b/c"), mounts) == Mount(Path("/a b"), "nfs")
    assert mount_of(Path("/a"), mounts) == Mount(Path("/"), "ext4")


@settings(deadline=None)  # how long it takes is a busy machine's affair
@given(st.binary(max_size=400))
def test_any_bytes_are_mounts_or_none(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "mountinfo"
    file.write_bytes(raw)
    mount_of(Path("/x"), read_mounts(file))


def test_evidence_on_a_disk_of_its_own_is_looked_at(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    full(monkeypatch, RESERVE_BYTES // 2)
    assert not any("transcripts" in (finding.why or "") for finding in wrong(disks, machine))
    elsewhere = tmp_path / "elsewhere" / "evidence"
    with machine.config.open("a") as settings:
        settings.write(f"evidence: {elsewhere}\n")
    (finding,) = (f for f in wrong(disks, machine) if "transcripts" in (f.why or ""))
    assert finding.grade is Grade.BAD
    assert "station evidence prune" in finding.remedy
