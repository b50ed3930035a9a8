"""Folders and ZIP archives that are not what they should be."""

import os
import stat
import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from station.errors import PackageError, PackageHostile, PackageIncomplete, PackageMissing
from station.firmware.members import LIMITS, Limits
from station.firmware.release import CHUNK_BYTES, open_release
from tests.firmware.quectel import NAME, member, release, write_folder, write_zip

FILES = release()


def read_all(path: Path, limits: Limits = LIMITS) -> dict[str, bytes]:
    with open_release(path, limits) as opened:
        return {name: b"".join(opened.stream(name)) for name in opened.paths}


# --- sound ones -------------------------------------------------------------------------------


def test_a_folder(tmp_path: Path) -> None:
    assert read_all(write_folder(tmp_path / NAME, FILES)) == FILES


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip(tmp_path: Path, method: int) -> None:
    assert read_all(write_zip(tmp_path / "x.zip", FILES, method=method)) == FILES


def test_a_zip_with_a_folder_around_everything(tmp_path: Path) -> None:
    wrapped = {f"{NAME}/": b""} | {f"{NAME}/{path}": data for path, data in FILES.items()}
    assert read_all(write_zip(tmp_path / "x.zip", wrapped)) == FILES


def test_a_folder_within_a_folder(tmp_path: Path) -> None:
    write_folder(tmp_path / "outer" / NAME, FILES)
    assert read_all(tmp_path / "outer") == FILES


def test_a_zip_with_back_slashes(tmp_path: Path) -> None:
    windows = {f"{NAME}\\": b"", f"{NAME}\\update\\": b""}
    windows |= {f"{NAME}\\{path.replace('/', chr(92))}": data for path, data in FILES.items()}
    assert read_all(write_zip(tmp_path / "x.zip", windows)) == FILES


def test_a_folder_unpacked_by_a_tool_that_keeps_back_slashes(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    for path, data in FILES.items():
        (tmp_path / NAME / path.replace("/", "\\")).write_bytes(data)
    assert read_all(tmp_path / NAME) == FILES


def test_files_beside_the_wrapping_folder_do_not_belong(tmp_path: Path) -> None:
    files = {f"{NAME}/{path}": data for path, data in FILES.items()}
    path = write_zip(tmp_path / "x.zip", {**files, f"__MACOSX/{NAME}/._md5.txt": b"mac"})
    with open_release(path) as opened:
        assert opened.outside == (f"__MACOSX/{NAME}/._md5.txt",)
        assert list(opened.paths) == sorted(FILES)
        assert opened.top == NAME


def test_the_name_is_that_of_the_folder_or_archive(tmp_path: Path) -> None:
    with open_release(write_zip(tmp_path / f"{NAME}.ZIP", FILES)) as opened:
        assert opened.name == NAME
    with open_release(write_folder(tmp_path / NAME, FILES)) as opened:
        assert opened.name == NAME


def test_a_link_to_a_release_goes_by_the_name_of_the_release(tmp_path: Path) -> None:
    write_folder(tmp_path / NAME, FILES)
    (tmp_path / "latest").symlink_to(NAME)
    with open_release(tmp_path / "latest") as opened:
        assert opened.name == NAME


def test_streams_come_in_chunks(tmp_path: Path) -> None:
    big = os.urandom(1000) * 2500
    path = write_zip(tmp_path / "x.zip", {**FILES, "update/big.img": big})
    with open_release(path) as opened:
        chunks = list(opened.stream("update/big.img"))
    assert max(map(len, chunks)) <= CHUNK_BYTES
    assert b"".join(chunks) == big


def test_a_file_of_another_case_is_found(tmp_path: Path) -> None:
    with open_release(write_folder(tmp_path / NAME, FILES)) as opened:
        assert opened.read("UPDATE/SBL1.MBN", 4096) == FILES["update/sbl1.mbn"]
        with pytest.raises(PackageIncomplete, match=r"update/none\.mbn is missing"):
            opened.read("update/none.mbn", 4096)
        with pytest.raises(PackageHostile, match=r"update/sbl1\.mbn has 2100 bytes"):
            opened.read("update/sbl1.mbn", 2099)


# --- nothing to open --------------------------------------------------------------------------


def test_no_such_path(tmp_path: Path) -> None:
    with pytest.raises(PackageMissing, match=r"none\.zip': No such file"):
        read_all(tmp_path / "none.zip")


def test_a_path_with_a_nul(tmp_path: Path) -> None:
    with pytest.raises(PackageMissing):
        read_all(tmp_path / "a\0b")


def test_a_link_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(PackageMissing):
        read_all(tmp_path / "a")


def test_a_file_that_is_no_zip(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"Rar!\x1a\x07\x00" + bytes(100))
    with pytest.raises(PackageIncomplete, match="not a sound ZIP archive"):
        read_all(tmp_path / "x.zip")


def test_a_pipe_instead_of_a_release(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PackageHostile, match="neither a folder nor a file"):
        read_all(tmp_path / "pipe")


def test_no_list_anywhere(tmp_path: Path) -> None:
    with pytest.raises(PackageIncomplete, match=r"md5\.txt is missing"):
        read_all(write_folder(tmp_path / NAME, {"update/sbl1.mbn": b"x", "a/b/md5.txt": b""}))


def test_two_packages_in_one_folder(tmp_path: Path) -> None:
    with pytest.raises(PackageIncomplete, match="several packages: one, two"):
        read_all(write_folder(tmp_path / NAME, {"one/md5.txt": b"", "two/md5.txt": b""}))


# --- hostile folders --------------------------------------------------------------------------


def _symlink_to_file(folder: Path) -> None:
    (folder / "update/evil").symlink_to("/etc/hostname")


def _symlink_to_folder(folder: Path) -> None:
    (folder / "update/evil").symlink_to("/etc")


def _dangling_symlink(folder: Path) -> None:
    (folder / "update/evil").symlink_to("nowhere")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "update/evil")


def _socket(folder: Path) -> None:
    os.mknod(folder / "update/evil", stat.S_IFSOCK | 0o600)


@pytest.mark.parametrize(
    "plant",
    [_symlink_to_file, _symlink_to_folder, _dangling_symlink, _pipe, _socket],
)
def test_only_plain_files_may_be_in_a_folder(tmp_path: Path, plant: Callable[[Path], None]) -> None:
    folder = write_folder(tmp_path / NAME, FILES)
    plant(folder)
    with pytest.raises(PackageHostile, match=r"'update/evil' is (a symbolic|a hard|not a file)"):
        read_all(folder)


def test_a_file_swapped_for_a_link_after_the_scan(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / NAME, FILES)
    with open_release(folder) as opened:
        (folder / "update/sbl1.mbn").unlink()
        (folder / "update/sbl1.mbn").symlink_to("/etc/hostname")
        with pytest.raises(PackageHostile, match="symbolic link"):
            list(opened.stream("update/sbl1.mbn"))


def test_a_folder_swapped_for_a_link_after_the_scan(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / NAME, FILES)
    with open_release(folder) as opened:
        (folder / "update").rename(tmp_path / "elsewhere")
        (folder / "update").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(PackageHostile, match="symbolic link"):
            list(opened.stream("update/sbl1.mbn"))


def test_a_file_swapped_for_a_pipe_does_not_hang(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / NAME, FILES)
    with open_release(folder) as opened:
        (folder / "update/sbl1.mbn").unlink()
        os.mkfifo(folder / "update/sbl1.mbn")
        with pytest.raises(PackageHostile, match="not a file"):
            list(opened.stream("update/sbl1.mbn"))


def test_a_file_that_vanishes(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / NAME, FILES)
    with open_release(folder) as opened:
        (folder / "update/sbl1.mbn").unlink()
        with pytest.raises(PackageIncomplete, match=r"update/sbl1\.mbn vanished"):
            list(opened.stream("update/sbl1.mbn"))


@pytest.mark.parametrize("length_bytes", [0, 2099, 2101, 5000])
def test_a_file_that_changes_its_length(tmp_path: Path, length_bytes: int) -> None:
    folder = write_folder(tmp_path / NAME, FILES)
    with open_release(folder) as opened:
        os.truncate(folder / "update/sbl1.mbn", length_bytes)
        with pytest.raises(PackageIncomplete, match=r"update/sbl1\.mbn changed length"):
            list(opened.stream("update/sbl1.mbn"))


@pytest.mark.parametrize("name", ["ev\nil", "c:evil", "ev\x7fil", "\udcffevil", "e" * 255])
def test_names_no_release_has(tmp_path: Path, name: str) -> None:
    deep = "/".join(["x" * 200] * 2)
    folder = write_folder(tmp_path / NAME, {**FILES, f"{deep}/{name}": b""})
    with pytest.raises(PackageHostile):
        read_all(folder)


def test_folders_in_folders_in_folders(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / NAME, FILES)
    (folder / "/".join("x" * 30)).mkdir(parents=True)
    with pytest.raises(PackageHostile, match="deeper than 8"):
        read_all(folder)


def test_a_file_of_absurd_length(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / NAME, FILES)
    (folder / "update/sparse.img").write_bytes(b"")
    os.truncate(folder / "update/sparse.img", 5 << 30)
    with pytest.raises(PackageHostile, match="more than 4294967296 bytes"):
        read_all(folder)


# --- hostile archives -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "update/../../evil",
        "update\\..\\..\\evil",
        "..\\evil",
        "/etc/passwd",
        "\\evil",
        "\\\\server\\evil",
        "C:\\evil",
        "C:evil",
        "update/evil\0.mbn",
        "x/" * 9 + "evil",
        "e" * 256,
        "e/" * 300 + "x",
        "/",
    ],
)
def test_names_that_escape(tmp_path: Path, name: str) -> None:
    with pytest.raises(PackageHostile):
        read_all(write_zip(tmp_path / "x.zip", {**FILES, name: b""}))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK])
def test_links_and_devices(tmp_path: Path, kind: int) -> None:
    path = write_zip(tmp_path / "x.zip", FILES)
    evil = member("update/evil")
    evil.create_system = 3
    evil.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(evil, "/etc/passwd")
    with pytest.raises(PackageHostile, match=r"'update/evil' is (a link|not a file)"):
        read_all(path)


@pytest.mark.parametrize(("field", "fixed_bytes"), [(0x000D, 12), (0x756E, 14)])
def test_links_in_extra_fields(tmp_path: Path, field: int, fixed_bytes: int) -> None:
    path = write_zip(tmp_path / "x.zip", FILES)
    evil = member("update/evil")
    body = bytes(fixed_bytes) + b"/etc/passwd"
    evil.extra = struct.pack("<HH", 0x5455, 1) + b"\0"
    evil.extra += struct.pack("<HH", field, len(body)) + body
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(evil, "")
    with pytest.raises(PackageHostile, match="'update/evil' is a link"):
        read_all(path)


def test_times_and_owners_in_extra_fields_are_no_links(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", FILES)
    plain = member("update/plain")
    plain.extra = struct.pack("<HH", 0x000D, 12) + bytes(12)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(plain, "plain")
    assert read_all(path)["update/plain"] == b"plain"


def central(data: bytes, name: str) -> int:
    """Where the central directory describes this member. Ref: APPNOTE.TXT 4.3.12."""
    at = data.rindex(name.encode()) - 46
    assert data[at : at + 4] == b"PK\x01\x02"
    return at


def patched(path: Path, name: str, offset: int, value: bytes) -> Path:
    data = bytearray(path.read_bytes())
    at = central(bytes(data), name) + offset
    data[at : at + len(value)] = value
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("flags", [0x0001, 0x0041, 0x2000])
def test_encrypted_members(tmp_path: Path, flags: int) -> None:
    path = write_zip(tmp_path / "x.zip", FILES)
    with pytest.raises(PackageHostile, match="encrypted"):
        read_all(patched(path, "update/sbl1.mbn", 8, struct.pack("<H", flags)))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_hide_bombs(tmp_path: Path, method: int) -> None:
    with pytest.raises(PackageHostile, match=f"packed by method {method}"):
        read_all(write_zip(tmp_path / "x.zip", FILES, method=method))


@pytest.mark.parametrize("twin", ["update/sbl1.mbn", "update\\sbl1.mbn"])
def test_a_name_that_is_there_twice(tmp_path: Path, twin: str) -> None:
    path = write_zip(tmp_path / "x.zip", FILES)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member("update/sbl2.mbn"), "again")
    data = path.read_bytes().replace(b"update/sbl2.mbn", twin.encode())
    path.write_bytes(data)
    with pytest.raises(PackageHostile, match="twice"):
        read_all(path)


@pytest.mark.parametrize("name", ["update/sbl1.mbn/evil", "update"])
def test_a_name_that_is_a_file_and_a_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(PackageHostile, match="is a file and a folder"):
        read_all(write_zip(tmp_path / "x.zip", {**FILES, name: b""}))


def test_a_folder_with_content(tmp_path: Path) -> None:
    with pytest.raises(PackageHostile, match="folder with content"):
        read_all(write_zip(tmp_path / "x.zip", {**FILES, "evil/": b"content"}))


def test_members_that_share_bytes(tmp_path: Path) -> None:
    """The bomb of overlapping files: one kernel of data, claimed by every member."""
    path = write_zip(tmp_path / "x.zip", FILES)
    with zipfile.ZipFile(path) as archive:
        kernel = archive.getinfo("md5.txt").header_offset
    with pytest.raises(PackageHostile, match="overlaps"):
        read_all(patched(path, "update/sbl1.mbn", 42, struct.pack("<I", kernel)))


def test_a_member_that_reaches_into_the_directory(tmp_path: Path) -> None:
    files = {**FILES, "update/last.img": b"last"}
    path = write_zip(tmp_path / "x.zip", files, method=zipfile.ZIP_STORED)
    with pytest.raises(PackageHostile, match=r"'update/last\.img' overlaps"):
        read_all(patched(path, "update/last.img", 20, struct.pack("<II", 4000, 4000)))


@pytest.mark.parametrize("declared_bytes", [1, 2099, 2101, 1 << 20])
def test_a_member_of_another_length_than_declared(tmp_path: Path, declared_bytes: int) -> None:
    path = write_zip(tmp_path / "x.zip", FILES)
    with pytest.raises(PackageIncomplete, match=r"update/sbl1\.mbn"):
        read_all(patched(path, "update/sbl1.mbn", 24, struct.pack("<I", declared_bytes)))


def test_a_bomb_by_its_ratio(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", {**FILES, "update/bomb.img": bytes(3 << 20)})
    assert len(read_all(path)["update/bomb.img"]) == 3 << 20
    with pytest.raises(PackageHostile, match="bytes would unpack to"):
        read_all(path, Limits(ratio=200, ratio_free_bytes=1 << 20))


def test_a_bomb_by_its_size(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", FILES)
    with pytest.raises(PackageHostile, match="unpacks to more than 100000 bytes"):
        read_all(path, Limits(total_bytes=100_000))


def test_a_bomb_that_declares_gigabytes(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", FILES)
    for name in ("update/sbl1.mbn", "update/NON-HLOS.ubi"):
        patched(path, name, 24, struct.pack("<I", 0xFFFF_FFF0))
    with pytest.raises(PackageHostile, match="would unpack to"):
        read_all(path)


def test_a_bomb_by_the_number_of_its_files(tmp_path: Path) -> None:
    many = {f"update/{number}": b"" for number in range(5000)}
    path = write_zip(tmp_path / "x.zip", {**FILES, **many})
    with pytest.raises(PackageHostile, match="more than 4096 files"):
        read_all(path)
    folder = write_folder(tmp_path / NAME, {**FILES, "a/b/c": b""})
    with pytest.raises(PackageHostile, match="more than 11 files"):
        read_all(folder, Limits(members=11))


def test_a_directory_of_millions_is_not_even_read(tmp_path: Path) -> None:
    """A directory of 64 MiB, as the end record says; the ZIP64 record may say so as well."""
    length_bytes = 64 << 20
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, length_bytes, 0, 0)
    path = tmp_path / "x.zip"
    path.write_bytes(b"")
    os.truncate(path, length_bytes)
    with path.open("ab") as file:
        file.write(end)
    with pytest.raises(PackageHostile, match="its directory has 67108864 bytes"):
        read_all(path)


def test_a_zip_within_a_zip_is_only_a_file(tmp_path: Path) -> None:
    inner = write_zip(tmp_path / "inner.zip", FILES).read_bytes()
    path = write_zip(tmp_path / "x.zip", {**FILES, "upgrade/targetfiles.zip": inner})
    assert read_all(path)["upgrade/targetfiles.zip"] == inner


SMALL = {path: data[:40] for path, data in FILES.items()}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=4),
    cut_bytes=st.integers(0, 200),
)
def test_only_package_errors_come_out_of_a_broken_zip(
    tmp_path: Path, edits: list[tuple[int, int]], cut_bytes: int
) -> None:
    path = write_zip(tmp_path / "x.zip", SMALL)
    data = bytearray(path.read_bytes())
    for position, value in edits:
        data[position % len(data)] = value
    path.write_bytes(data[: len(data) - (cut_bytes if cut_bytes > 100 else 0)])
    with suppress(PackageError):
        read_all(path)
