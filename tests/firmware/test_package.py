import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from station.errors import (
    FactoryPackage,
    PackageHostile,
    PackageIncomplete,
    RawprogramInvalid,
    StationError,
)
from station.firmware.manifest import Manifest
from station.firmware.package import PackageLayout, check, examine, inspect, require_files
from station.firmware.paths import Paths
from station.firmware.release import Release, open_release
from station.model import FileRef, PackageRef
from station.sim.package import write_package
from tests.firmware.quectel import (
    NAME,
    PATCH,
    PROGRAMMER,
    RAWPROGRAM,
    TABLE,
    Files,
    images,
    md5_list,
    rawprogram,
    release,
    write_folder,
    write_zip,
)

FACTORY = "update/firehose/rawprogram_nand_p2K_b128K_factory.xml"


@pytest.fixture(params=["folder", "zip", "wrapped zip"])
def put(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Files], Path]:
    """Puts a release on the disk, in each of the ways releases come."""

    def put(files: Files) -> Path:
        if request.param == "folder":
            return write_folder(tmp_path / NAME, files)
        top = f"{NAME}/" if request.param == "wrapped zip" else ""
        zipped = {f"{top}{path}": data for path, data in files.items()}
        return write_zip(tmp_path / f"{NAME}.zip", zipped)

    return put


Put = Callable[[Files], Path]


def refuses(path: Path, error: type[StationError], cause: str) -> None:
    with pytest.raises(error, match=cause):
        check(path)


# --- sound packages ---------------------------------------------------------------------------


def test_a_sound_release_passes_without_a_word(put: Put) -> None:
    report = check(put(release()))
    assert report.warnings == ()
    assert report.layout == PackageLayout(PROGRAMMER, RAWPROGRAM, TABLE, (PATCH,))
    assert report.manifest.name == NAME
    assert [file.path for file in report.manifest.files] == sorted(release())


def test_folder_and_zip_have_the_same_digest(tmp_path: Path) -> None:
    files = release()
    folder = check(write_folder(tmp_path / NAME, files)).manifest
    reverse = dict(reversed(files.items()))
    zipped = check(write_zip(tmp_path / f"{NAME}.zip", reverse)).manifest
    wrapped = {f"other/{path}": data for path, data in files.items()}
    assert folder == zipped
    assert check(write_zip(tmp_path / "y.zip", wrapped)).manifest.sha256 == folder.sha256


@pytest.mark.parametrize("family", ["ec25", "rm500q"])
def test_a_synthetic_release_passes(tmp_path: Path, family: str) -> None:
    path = write_package(tmp_path / "synthetic", family=family, version="V1", size_mb=2)
    assert check(path).warnings == ()


def test_the_digest_of_a_manifest() -> None:
    """As an auditor computes it: `printf '[["a/b.mbn",3,"<64 x 1>"],["é",0,"<64 x 2>"]]' |
    sha256sum`; neither the name nor the order of the files matters."""
    files = (FileRef("é", "2" * 64, 0), FileRef("a/b.mbn", "1" * 64, 3))
    manifest = Manifest("any", files)
    text = f'[["a/b.mbn",3,"{"1" * 64}"],["é",0,"{"2" * 64}"]]'
    assert json.loads(text)[1][0] == "é"
    assert manifest.sha256 == "a334e69dbc505b52cc3a70945d5dd46e3a1055039aed79ab32bfe69e4b2c97c8"
    assert manifest.sha256 == Manifest("other", files[::-1]).sha256
    assert manifest.ref == PackageRef("any", manifest.sha256, files)


# --- md5.txt ----------------------------------------------------------------------------------


@pytest.mark.parametrize("digit", [0, 15, 16, 31])
def test_every_digit_of_an_md5_counts(put: Put, digit: int) -> None:
    """QFirehose compares the first 16 only."""
    files = release()
    listed = bytearray(files["md5.txt"])
    at = listed.index(b"sbl1.mbn:") + len(b"sbl1.mbn:") + digit
    listed[at] = ord("0") if listed[at] != ord("0") else ord("1")
    refuses(
        put({**files, "md5.txt": bytes(listed)}),
        PackageIncomplete,
        r"update/sbl1\.mbn is damaged: md5 [0-9a-f]{32}, listed [0-9a-f]{32}",
    )


def test_one_wrong_bit(put: Put) -> None:
    files = release()
    image = bytearray(files["update/NON-HLOS.ubi"])
    image[-1] ^= 1
    refuses(put({**files, "update/NON-HLOS.ubi": bytes(image)}), PackageIncomplete, "NON-HLOS")


def test_missing_files_are_all_named(put: Put) -> None:
    files = release()
    del files["update/sbl1.mbn"], files[TABLE]
    refuses(put(files), PackageIncomplete, rf"lists update/sbl1\.mbn, {TABLE}: not in the package")


def test_extra_files_are_named_and_belong_to_the_package(put: Put) -> None:
    report = check(put({**release(), "readme.txt": b"hi", "update/more.img": b"x"}))
    assert [warning.split(":")[0] for warning in report.warnings] == [
        "readme.txt is not listed in md5.txt",
        "update/more.img is not listed in md5.txt",
    ]
    assert {"readme.txt", "update/more.img"} <= {file.path for file in report.manifest.files}


def test_no_md5_list(put: Put) -> None:
    refuses(put(images()), PackageIncomplete, r"md5\.txt is missing")


def test_the_list_may_name_targetfiles_zip(put: Put) -> None:
    files = images()
    more = [f"FILE:\\upgrade\\targetfiles.zip:{'0' * 32}"]
    assert check(put({"md5.txt": md5_list(files, more=more), **files})).warnings == ()


def test_the_list_may_spell_names_in_another_case(put: Put) -> None:
    files = images()
    listed = md5_list(files).replace(b"sbl1.mbn", b"SBL1.MBN")
    assert check(put({"md5.txt": listed, **files})).warnings == ()


@pytest.mark.parametrize("twin", [b"sbl1.mbn", b"SBL1.mbn"])
def test_a_file_listed_twice(put: Put, twin: bytes) -> None:
    files = images()
    more = [f"FILE:\\update\\{twin.decode()}:{'0' * 32}"]
    refuses(put({"md5.txt": md5_list(files, more=more), **files}), PackageIncomplete, "twice")


def test_a_list_that_points_outside(put: Put) -> None:
    files = images()
    more = [f"FILE:\\..\\..\\etc\\passwd:{'0' * 32}"]
    refuses(put({"md5.txt": md5_list(files, more=more), **files}), PackageHostile, "upwards")


def test_a_list_of_absurd_length(put: Put) -> None:
    refuses(put({**release(), "md5.txt": b"\n" * (2 << 20)}), PackageHostile, "md5.txt has 2097152")


# --- what the rawprogram needs ----------------------------------------------------------------


def test_a_file_the_rawprogram_needs_is_missing(put: Put) -> None:
    refuses(
        put(release({"update/sbl1.mbn": None, "update/NON-HLOS.ubi": None})),
        PackageIncomplete,
        r"_update\.xml needs update/NON-HLOS\.ubi, update/sbl1\.mbn: not in the package",
    )


@pytest.mark.parametrize("name", [r"..\..\..\etc\passwd", "/etc/passwd", r"C:\x", r"\sbl1.mbn"])
def test_a_rawprogram_that_points_outside(put: Put, name: str) -> None:
    refuses(put(release({RAWPROGRAM: rawprogram(name)})), PackageHostile, "rawprogram_nand")


def test_a_rawprogram_with_names_of_another_case(put: Put) -> None:
    check(put(release({RAWPROGRAM: rawprogram(r"..\SBL1.MBN", r"..\non-hlos.UBI")})))


def test_a_rawprogram_that_is_no_xml(put: Put) -> None:
    refuses(put(release({RAWPROGRAM: b"garbage"})), RawprogramInvalid, RAWPROGRAM)


def test_a_rawprogram_of_absurd_length(put: Put) -> None:
    refuses(put(release({RAWPROGRAM: b" " * (2 << 20)})), PackageHostile, "2097152 bytes")


def test_a_patch_of_the_storage(put: Put) -> None:
    patch = b'<patches><patch filename="DISK"/></patches>'
    refuses(put(release({PATCH: patch})), RawprogramInvalid, PATCH)


def test_the_needed_files_may_be_asked_alone() -> None:
    paths = Paths(["update/sbl1.mbn"])
    require_files(paths, RAWPROGRAM, [r"..\sbl1.mbn", r"..\SBL1.mbn"])
    with pytest.raises(PackageIncomplete, match=r"update/tz\.mbn"):
        require_files(paths, RAWPROGRAM, [r"..\tz.mbn"])


# --- programmer, rawprogram, partition table --------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "prog_nand_firehose_9x07.mbn",
        "prog_firehose_sdx55.mbn",
        "firehose-prog-sdx6x.mbn",
        "Prog_NAND_Firehose_9x07.MBN",
    ],
)
def test_the_names_of_programmers(put: Put, name: str) -> None:
    path = f"update/firehose/{name}"
    layout = check(put(release({PROGRAMMER: None, path: b"programmer"}))).layout
    assert layout.programmer == path


def test_no_programmer(put: Put) -> None:
    refuses(put(release({PROGRAMMER: None})), PackageIncomplete, "no programmer in update/firehose")


def test_a_programmer_elsewhere_is_none(put: Put) -> None:
    files = release({PROGRAMMER: None, "update/prog_nand_firehose_9x07.mbn": b"x"})
    refuses(put(files), PackageIncomplete, "no programmer")


def test_two_programmers_are_named(put: Put) -> None:
    other = "update/firehose/prog_firehose_sdx55.mbn"
    refuses(put(release({other: b"x"})), PackageIncomplete, f"{other}, {PROGRAMMER}")


def test_no_rawprogram(put: Put) -> None:
    refuses(put(release({RAWPROGRAM: None})), PackageIncomplete, "no rawprogram_…_update.xml in")


def test_a_rawprogram_that_does_not_say_what_it_is_for(put: Put) -> None:
    files = release({RAWPROGRAM: None, "update/firehose/rawprogram_nand.xml": rawprogram()})
    refuses(put(files), PackageIncomplete, r"rawprogram_nand\.xml: none is called …_update\.xml")


def test_two_update_rawprograms_are_named(put: Put) -> None:
    other = "update/firehose/rawprogram_nand_p4K_b256K_update.xml"
    refuses(put(release({other: rawprogram()})), PackageIncomplete, f"{RAWPROGRAM}, {other}")


def test_the_partition_table_fits_the_rawprogram(put: Put) -> None:
    other = "update/firehose/partition_complete_p4K_b256K.mbn"
    assert check(put(release({other: b"x"}))).layout.partition_table == TABLE


def test_two_partition_tables_of_one_geometry(put: Put) -> None:
    other = "update/firehose/partition_complete_old_p2K_b128K.mbn"
    refuses(put(release({other: b"x"})), PackageIncomplete, "more than one partition table")


def test_no_partition_table(put: Put) -> None:
    files = release({TABLE: None, RAWPROGRAM: rawprogram(r"..\sbl1.mbn")})
    assert check(put(files)).layout.partition_table is None


def test_inspect_needs_only_names() -> None:
    class Named:
        name = NAME
        paths = Paths(release())

    assert inspect(Named()) == PackageLayout(PROGRAMMER, RAWPROGRAM, TABLE, (PATCH,))


# --- factory packages -------------------------------------------------------------------------


def test_only_a_factory_rawprogram(put: Put) -> None:
    files = release({RAWPROGRAM: None, FACTORY: rawprogram(r"..\sbl1.mbn")})
    refuses(put(files), FactoryPackage, f"no update rawprogram, only {FACTORY}")


def test_a_factory_rawprogram_beside_the_update_is_never_used(put: Put) -> None:
    report = check(put(release({FACTORY: rawprogram(r"..\cefs.mbn"), "update/cefs.mbn": b"x"})))
    assert report.layout.rawprogram == RAWPROGRAM
    assert report.warnings == (f"{FACTORY} is never used: the update comes from {RAWPROGRAM}",)


@pytest.mark.parametrize("name", [r"..\cefs.mbn", r"..\CEFS.mbn", "old_cefs.img"])
def test_an_update_rawprogram_that_overwrites_calibration(put: Put, name: str) -> None:
    files = release({RAWPROGRAM: rawprogram(name), "update/cefs.mbn": b"x"})
    refuses(put(files), FactoryPackage, "(?i)overwrites the calibration with .*cefs")


@pytest.mark.parametrize("name", ["EC25EFAR06A06M4G_factory", "Factory-EC25", "EC25_FACTORY_V2"])
def test_a_factory_package_by_its_name(tmp_path: Path, name: str) -> None:
    cause = f"{name} is a factory package by its name"
    files = release()
    refuses(write_folder(tmp_path / name, files), FactoryPackage, cause)
    refuses(write_zip(tmp_path / f"{name}.zip", files), FactoryPackage, cause)
    wrapped = {f"{name}/{path}": data for path, data in files.items()}
    refuses(write_zip(tmp_path / "x.zip", wrapped), FactoryPackage, cause)


def test_satisfactory_is_not_factory(tmp_path: Path) -> None:
    check(write_folder(tmp_path / "factory" / "satisfactory", release()))


# --- releases that change under the eye -------------------------------------------------------


@pytest.mark.parametrize("path", ["md5.txt", RAWPROGRAM])
def test_the_bytes_judged_are_the_bytes_digested(tmp_path: Path, path: str) -> None:
    """The file is overwritten right after it was judged, and no md5 is there to tell."""
    folder = write_folder(tmp_path / NAME, {**images(), "md5.txt": md5_list({})})

    class Moving(Release):
        def read(self, name: str, limit_bytes: int) -> bytes:
            data = super().read(name, limit_bytes)
            if name == path:
                (folder / path).write_bytes(data.swapcase())
            return data

    with open_release(folder) as opened:
        moving = Moving(opened.name, opened.top, opened.place, opened.members, opened.outside)
        with pytest.raises(PackageIncomplete, match=f"{path} changed during the check"):
            examine(moving)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_memory_stays_flat(tmp_path: Path, kind: str) -> None:
    files = {**release(), "update/big.img": bytes(64 << 20)}
    write = write_folder if kind == "folder" else write_zip
    path = write(tmp_path / NAME, files)
    tracemalloc.start()
    check(path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 8 << 20
