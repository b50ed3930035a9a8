import fcntl
import hashlib
import json
import multiprocessing
import os
import resource
import shutil
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from station.errors import (
    Bug,
    DiskTrouble,
    FileChanged,
    PackageHostile,
    PackageIncomplete,
    PackageMissing,
)
from station.firmware.manifest import Manifest
from station.firmware.package import check, inspect
from station.firmware.package_store import PackageStore, _copy
from station.firmware.release import open_release
from station.model import FileRef
from station.protocols.dialogue import Source, read_exact
from tests.firmware.quectel import NAME, RAWPROGRAM, release, write_folder, write_zip

SBL = "update/sbl1.mbn"
FILES = release()


@pytest.fixture
def store(tmp_path: Path) -> PackageStore:
    return PackageStore(tmp_path / "store")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / NAME, FILES)


def object_of(store: PackageStore, data: bytes) -> Path:
    sha256 = hashlib.sha256(data).hexdigest()
    return store.root / "objects" / sha256[:2] / sha256


def everything(store: PackageStore) -> dict[str, int]:
    """Every file and folder, with the time of its last change."""
    return {
        str(path.relative_to(store.root)): path.stat().st_mtime_ns
        for path in store.root.rglob("*")
        if path.name != "incoming"
    }


def damage(path: Path, data: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(data)


# --- adding -----------------------------------------------------------------------------------


def test_every_byte_comes_back(store: PackageStore, folder: Path) -> None:
    manifest = store.add(folder)
    shutil.rmtree(folder)
    with store.open(manifest.sha256) as package:
        assert {path: package.read(path, 1 << 20) for path in package.paths} == FILES
        assert package.name == NAME
        assert inspect(package).rawprogram == RAWPROGRAM


def test_the_layout_of_the_store(store: PackageStore, folder: Path) -> None:
    manifest = store.add(folder)
    contents = {hashlib.sha256(data).hexdigest() for data in FILES.values()}
    assert set(everything(store)) == (
        {"objects", "packages", f"packages/{manifest.sha256}.json"}
        | {f"objects/{sha256[:2]}" for sha256 in contents}
        | {f"objects/{sha256[:2]}/{sha256}" for sha256 in contents}
    )
    document = json.loads((store.root / f"packages/{manifest.sha256}.json").read_bytes())
    assert document["name"] == NAME
    assert document["files"] == [
        [path, len(data), hashlib.sha256(data).hexdigest()] for path, data in sorted(FILES.items())
    ]
    assert not list((store.root / "incoming").iterdir())


def test_files_in_the_store_are_read_only(store: PackageStore, folder: Path) -> None:
    store.add(folder)
    files = [path for path in store.root.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o444}


def test_adding_again_writes_nothing(store: PackageStore, folder: Path, tmp_path: Path) -> None:
    first = store.add(folder)
    before = everything(store)
    assert store.add(folder) == first
    assert store.add(write_zip(tmp_path / f"{NAME}.zip", FILES)) == first
    assert everything(store) == before


def test_the_first_name_stays(store: PackageStore, folder: Path) -> None:
    store.add(folder)
    assert store.add(folder.rename(folder.parent / "renamed")).name == NAME


def test_releases_share_their_common_files(store: PackageStore, tmp_path: Path) -> None:
    one = store.add(write_folder(tmp_path / "one", FILES))
    two = store.add(write_folder(tmp_path / "two", release({SBL: b"other"})))
    assert one.sha256 != two.sha256
    objects = [path for path in (store.root / "objects").rglob("*") if path.is_file()]
    assert len(objects) == len(FILES) + 2  # sbl1.mbn and md5.txt


def test_a_release_that_fails_the_check_leaves_no_trace(store: PackageStore, folder: Path) -> None:
    (folder / SBL).write_bytes(b"x" * len(FILES[SBL]))
    with pytest.raises(PackageIncomplete, match="damaged"):
        store.add(folder)
    assert not store.root.exists()


def test_a_file_that_changes_between_check_and_copy(tmp_path: Path, folder: Path) -> None:
    manifest = check(folder).manifest
    (folder / SBL).write_bytes(b"x" * len(FILES[SBL]))
    with (
        open_release(folder) as opened,
        pytest.raises(PackageIncomplete, match=f"{SBL} changed while it was copied"),
    ):
        _copy(opened, manifest.file(SBL), tmp_path / "copy")


@contextmanager
def no_file_longer_than(limit_bytes: int) -> Iterator[None]:
    """A real write error from the kernel, as a full disk gives one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_takes_no_more(store: PackageStore, folder: Path) -> None:
    with no_file_longer_than(100_000), pytest.raises(DiskTrouble, match=str(store.root)):
        store.add(folder)
    assert everything(store) == {}
    assert not list((store.root / "incoming").iterdir())
    assert store.list() == ()
    store.add(folder)
    assert len(store.list()) == 1


def test_a_package_larger_than_the_disk_is_not_begun(store: PackageStore) -> None:
    with pytest.raises(DiskTrouble, match=r"1152921504606846976 bytes wanted, [0-9]+ free"):
        store._require_room([FileRef(SBL, "0" * 64, 1 << 60)])


def test_a_store_that_cannot_be_made(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DiskTrouble, match="Not a directory"):
        PackageStore(tmp_path / "file/store").add(folder)


@pytest.mark.parametrize("data", [b"", b"x", b"x" * len(FILES[SBL]), FILES[SBL] + b"x"])
def test_adding_again_repairs_a_damaged_file(
    store: PackageStore, folder: Path, data: bytes
) -> None:
    manifest = store.add(folder)
    damage(object_of(store, FILES[SBL]), data)
    with pytest.raises(FileChanged, match=SBL):
        store.open(manifest.sha256)
    assert store.add(folder) == manifest
    with store.open(manifest.sha256) as package:
        assert package.read(SBL, 4096) == FILES[SBL]


def test_adding_again_repairs_a_missing_file_and_a_link(store: PackageStore, folder: Path) -> None:
    manifest = store.add(folder)
    object_of(store, FILES[SBL]).unlink()
    other = object_of(store, FILES[RAWPROGRAM])
    other.unlink()
    other.symlink_to(folder / RAWPROGRAM)
    store.add(folder)
    store.open(manifest.sha256).close()
    assert not other.is_symlink()


def test_adding_again_repairs_a_damaged_manifest(store: PackageStore, folder: Path) -> None:
    manifest = store.add(folder)
    damage(store.root / f"packages/{manifest.sha256}.json", b"{}")
    with pytest.raises(FileChanged, match=manifest.sha256):
        store.list()
    assert store.add(folder) == manifest
    assert store.list() == (manifest,)


# --- many at once -----------------------------------------------------------------------------


def test_many_threads_may_add_at_once(store: PackageStore, folder: Path, tmp_path: Path) -> None:
    paths = [folder, write_zip(tmp_path / f"{NAME}.zip", FILES)] * 4
    with ThreadPoolExecutor(8) as pool:
        manifests = set(pool.map(lambda path: store.add(path).sha256, paths))
    assert len(manifests) == len(store.list()) == 1
    store.open(manifests.pop()).close()
    assert not list((store.root / "incoming").iterdir())


def test_two_processes_may_add_at_once(store: PackageStore, folder: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(2) as pool:
        manifests: list[Manifest] = pool.map(store.add, [folder] * 6, chunksize=1)
        pool.close()
        pool.join()
    assert len(set(manifests)) == 1
    store.open(manifests[0].sha256).close()


def test_what_a_killed_add_left_is_swept(store: PackageStore, folder: Path) -> None:
    dead = store.root / "incoming/dead"
    dead.mkdir(parents=True)
    (dead / ("0" * 64)).write_bytes(b"half")
    store.add(folder)
    assert not dead.exists()


def test_what_a_living_add_holds_is_left_alone(store: PackageStore, folder: Path) -> None:
    alive = store.root / "incoming/alive"
    alive.mkdir(parents=True)
    lock_fd = os.open(alive, os.O_RDONLY)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX)
        store.add(folder)
        assert alive.exists()
    finally:
        os.close(lock_fd)


def test_a_stray_file_among_the_incoming_harms_nobody(store: PackageStore, folder: Path) -> None:
    (store.root / "incoming").mkdir(parents=True)
    (store.root / "incoming/.DS_Store").write_bytes(b"")
    store.add(folder)


# --- finding ----------------------------------------------------------------------------------


def test_an_empty_store(store: PackageStore) -> None:
    assert store.list() == ()
    with pytest.raises(PackageMissing, match=f"no package '{NAME}' in the store"):
        store.find(NAME)


def test_packages_are_found_by_name_and_digest(store: PackageStore, folder: Path) -> None:
    manifest = store.add(folder)
    keys = [NAME, f"{NAME}.zip", f"/srv/{NAME}", manifest.sha256, manifest.sha256.upper()]
    assert [store.find(key) for key in keys] == [manifest] * 5


def test_a_name_that_means_two_packages(store: PackageStore, tmp_path: Path) -> None:
    one = store.add(write_folder(tmp_path / "a" / NAME, FILES))
    two = store.add(write_folder(tmp_path / "b" / NAME, release({SBL: b"other"})))
    assert {manifest.sha256 for manifest in store.list()} == {one.sha256, two.sha256}
    with pytest.raises(PackageMissing, match=r"give a sha256: [0-9a-f]{64}, [0-9a-f]{64}"):
        store.find(NAME)


@pytest.mark.parametrize("sha256", ["0" * 64, "../../etc/passwd", "", "0" * 63 + "\0"])
def test_opening_what_is_not_there(store: PackageStore, folder: Path, sha256: str) -> None:
    store.add(folder)
    with pytest.raises(PackageMissing):
        store.open(sha256)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"name":"x"}',
        '{"name":"x","files":[]}',
        '{"name":"x","files":[1]}',
        '{"name":"x","files":[[]]}',
        '{"name":"x","files":[["a","1","0"]]}',
        f'{{"name":"x","files":[["a",true,"{"0" * 64}"]]}}',
        f'{{"name":"x","files":[["a",1,"../{"0" * 61}"]]}}',
        f'{{"name":"x","files":[["\\ud800",1,"{"0" * 64}"]]}}',
        "[" * 100_000,
        "\udcff",
    ],
)
def test_a_damaged_manifest(store: PackageStore, folder: Path, text: str) -> None:
    sha256 = store.add(folder).sha256
    damage(store.root / f"packages/{sha256}.json", text.encode(errors="surrogateescape"))
    with pytest.raises(FileChanged, match=sha256):
        store.open(sha256)


def test_a_manifest_of_another_package(store: PackageStore, tmp_path: Path) -> None:
    one = store.add(write_folder(tmp_path / "one", FILES))
    two = store.add(write_folder(tmp_path / "two", release({SBL: b"other"})))
    damage(store.root / f"packages/{one.sha256}.json", two.encode())
    with pytest.raises(FileChanged, match="describes another"):
        store.open(one.sha256)


# --- reading ----------------------------------------------------------------------------------


@pytest.mark.parametrize("plant", ["link", "pipe", "folder", "nothing"])
def test_what_is_no_plain_file_is_not_opened(store: PackageStore, folder: Path, plant: str) -> None:
    manifest = store.add(folder)
    place = object_of(store, FILES[SBL])
    place.unlink()
    match plant:
        case "link":
            place.symlink_to(folder / SBL)
        case "pipe":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
        case _:
            pass
    with pytest.raises(FileChanged, match=SBL):
        store.open(manifest.sha256)


def test_a_source_reads_anywhere(store: PackageStore, folder: Path) -> None:
    with store.open(store.add(folder).sha256) as package:
        source: Source = package.source("UPDATE/sbl1.MBN")
        data = FILES[SBL]
        assert (source.name, source.length_bytes) == (SBL, len(data))
        assert package.source(SBL).sha256 == hashlib.sha256(data).hexdigest()
        assert source.pread(0, 4096) == data
        assert source.pread(1000, 7) == data[1000:1007]
        assert source.pread(len(data) - 1, 10) == data[-1:]
        assert source.pread(len(data), 10) == source.pread(1 << 70, 1) == b""
        assert source.pread(-5, 10) == source.pread(5, -1) == b""


def test_an_object_cut_short_while_open_fails_the_reader_only(
    store: PackageStore, folder: Path
) -> None:
    with store.open(store.add(folder).sha256) as package:
        source: Source = package.source(SBL)
        place = object_of(store, FILES[SBL])
        place.chmod(0o600)
        os.truncate(place, 1000)
        assert source.pread(900, 200) == FILES[SBL][900:1000]
        with pytest.raises(FileChanged, match=f"{SBL}: wanted 200 bytes at 900, got 100"):
            read_exact(source, 900, 200)
        with pytest.raises(FileChanged, match=SBL):
            package.read(SBL, 4096)
        assert read_exact(package.source(RAWPROGRAM), 0, 5) == b"<?xml"


def test_an_object_that_grows_while_open(store: PackageStore, folder: Path) -> None:
    with store.open(store.add(folder).sha256) as package:
        damage(object_of(store, FILES[SBL]), FILES[SBL] + b"more")
        assert package.read(SBL, 4096) == FILES[SBL]


def test_a_repair_does_not_disturb_who_reads(store: PackageStore, folder: Path) -> None:
    with store.open(store.add(folder).sha256) as package:
        object_of(store, FILES[SBL]).unlink()
        store.add(folder)
        assert package.read(SBL, 4096) == FILES[SBL]


def test_limits_and_names(store: PackageStore, folder: Path) -> None:
    with store.open(store.add(folder).sha256) as package:
        with pytest.raises(PackageHostile, match="2100 bytes, too many"):
            package.read(SBL, 2099)
        with pytest.raises(PackageIncomplete, match=r"update/none\.mbn is not in the package"):
            package.source("update/none.mbn")


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - no paths wanted, only their number


def test_closing_gives_every_file_back(store: PackageStore, folder: Path) -> None:
    manifest = store.add(folder)
    before = open_files()
    package = store.open(manifest.sha256)
    assert open_files() == before + len(FILES)
    source = package.source(SBL)
    package.close()
    package.close()
    assert open_files() == before
    with pytest.raises(Bug, match="after its package was closed"):
        source.pread(0, 1)


def test_a_failed_open_gives_every_file_back(store: PackageStore, folder: Path) -> None:
    manifest = store.add(folder)
    damage(object_of(store, FILES[SBL]), b"x" * len(FILES[SBL]))
    before = open_files()
    with pytest.raises(FileChanged):
        store.open(manifest.sha256)
    assert open_files() == before


def test_too_many_open_files(store: PackageStore, folder: Path) -> None:
    manifest = store.add(folder)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files() + 3, hard))
    try:
        with pytest.raises(DiskTrouble, match="Too many open files"):
            store.open(manifest.sha256)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    store.open(manifest.sha256).close()
