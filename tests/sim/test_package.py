"""Synthetic releases: complete, valid, repeatable; and what modules have from their maker."""

import hashlib
import struct
from itertools import pairwise
from pathlib import Path

import pytest

from station.errors import ConfigError, DiskTrouble
from station.firmware.mibib import parse_partition_table
from station.firmware.package import check
from station.firmware.rawprogram import Erase, Program, VendorLine, check_patch, parse_rawprogram
from station.sim.images import image_lengths, largest_size_mb
from station.sim.package import (
    LAYOUTS,
    Layout,
    factory_images,
    family_names,
    layout_of,
    partition_table,
    programmer,
    rawprogram,
    write_package,
)

FAMILIES = family_names()


def release(folder: Path, family: str, *, size_mb: int = 2, seed: int = 0) -> Path:
    version = layout_of(family).newer_version
    return write_package(folder, family=family, version=version, size_mb=size_mb, seed=seed)


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def calibration_sectors(layout: Layout) -> set[int]:
    return {
        layout.start_sector(part) + n
        for part in layout.calibration
        for n in range(layout.num_sectors(part))
    }


def test_families_are_data() -> None:
    assert FAMILIES == ("ec25", "rm500q")
    with pytest.raises(ConfigError, match="no family 'sim7600': there are ec25, rm500q"):
        layout_of("sim7600")


def test_maps_of_the_real_modules() -> None:
    ec25, rm500q = LAYOUTS["ec25"], LAYOUTS["rm500q"]
    assert (ec25.suffix, ec25.total_sectors) == ("p2K_b128K", 131072)
    assert ec25.start_sector(ec25.part("EFS2")) == 1280
    assert ec25.start_sector(ec25.part("RAWDATA")) == 12544
    assert ec25.start_sector(ec25.part("TZ")) == 13184
    assert (rm500q.suffix, rm500q.total_sectors) == ("p4K_b256K", 131072)
    places = {
        part.name: (rm500q.start_sector(part), rm500q.num_sectors(part)) for part in rm500q.parts
    }
    assert places["sbl"] == (0, 640)
    assert places["mibib"] == (640, 256)
    assert places["efs2"] == (896, 5632)
    assert places["tz"][0] == 8704
    assert places["modem"] == (27456, 28928)
    assert (places["usrdata"][0], places["oemdata"][0]) == (61504, 93504)
    assert places["sysfs"][0] == 102720


@pytest.mark.parametrize("family", FAMILIES)
def test_partitions_fill_the_chip_without_gaps(family: str) -> None:
    layout = layout_of(family)
    for before, after in pairwise(layout.parts):
        assert before.start_block + before.num_blocks == after.start_block
    last = layout.parts[-1]
    assert last.start_block + last.num_blocks == layout.total_blocks
    assert sum(part.share for part in layout.parts) == 1000


@pytest.mark.parametrize("family", FAMILIES)
def test_a_release_passes_the_check_of_packages_without_a_warning(
    family: str, tmp_path: Path
) -> None:
    report = check(release(tmp_path / "p", family))
    assert report.warnings == ()
    assert report.layout.partition_table is not None
    assert len(report.manifest.files) >= 5 + 4


@pytest.mark.parametrize("family", FAMILIES)
def test_md5_list_is_written_as_on_windows(family: str, tmp_path: Path) -> None:
    folder = release(tmp_path / "p", family)
    lines = (folder / "md5.txt").read_bytes().split(b"\r\n")
    assert lines[:2] == [b"VERSION:1.0", b"FILE:START"]
    assert lines[-2:] == [b"FILE:END", b""]
    digest = (
        hashlib.md5((folder / "update/sbl1.mbn").read_bytes(), usedforsecurity=False)
        .hexdigest()
        .upper()
    )
    assert rf"FILE:\update\sbl1.mbn:{digest}".encode() in lines
    assert len(lines) == len(files(folder)) - 1 + 4


def test_the_same_arguments_give_the_same_bytes_and_others_do_not(tmp_path: Path) -> None:
    first = files(release(tmp_path / "a", "ec25"))
    assert files(release(tmp_path / "b", "ec25")) == first
    other = files(release(tmp_path / "c", "ec25", seed=1))
    assert other["update/NON-HLOS.ubi"] != first["update/NON-HLOS.ubi"]
    assert other["update/firehose/prog_nand_firehose_9x07.mbn"] == programmer(LAYOUTS["ec25"])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size_mb", [1, 3, 24])
def test_images_add_up_to_the_size_asked_for(family: str, size_mb: int, tmp_path: Path) -> None:
    folder = release(tmp_path / "p", family, size_mb=size_mb)
    layout = layout_of(family)
    lengths = [(folder / "update" / part.image).stat().st_size for part in layout.programmed]
    assert sum(lengths) == size_mb << 20
    for part, length in zip(layout.programmed, lengths, strict=True):
        assert 0 < length <= part.num_blocks * layout.block_size_bytes
    assert any(length % layout.sector_size_bytes for length in lengths)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_largest_package_fills_no_partition_to_the_brim(family: str) -> None:
    layout = layout_of(family)
    lengths = image_lengths(layout, largest_size_mb(layout))
    assert largest_size_mb(layout) >= 128
    for part in layout.programmed:
        assert lengths[part.name] < part.num_blocks * layout.block_size_bytes


@pytest.mark.parametrize("size_mb", [-1, 0, 1000])
def test_sizes_that_do_not_fit_are_refused(size_mb: int, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"for ec25 has 1 to \d+ MiB, not {size_mb}"):
        release(tmp_path / "p", "ec25", size_mb=size_mb)
    assert not (tmp_path / "p").exists()


def test_nobodys_files_are_mixed_with_a_package(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match="is not empty"):
        release(tmp_path, "ec25")
    assert sorted(files(tmp_path)) == ["letter.txt"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskTrouble, match="file/p cannot be written"):
        release(tmp_path / "file" / "p", "ec25")


def test_markers_of_ec25(tmp_path: Path) -> None:
    found = files(release(tmp_path / "p", "ec25"))
    assert found["update/sbl1.mbn"].startswith(b"SIM-SBL\nec25\n")
    assert found["update/mdm9607-sysfs.ubi"].startswith(
        b"SIM-FIRMWARE EC25EFAR06A08M4G_01.003.01.003\n"
    )
    assert found["update/tz.mbn"].startswith(b"SIM-IMAGE TZ\n")
    assert found["update/NON-HLOS.ubi"].startswith(b"SIM-IMAGE modem\n")
    table = found["update/firehose/partition_complete_p2K_b128K.mbn"]
    assert table.startswith(bytes.fromhex("ac9f56fe7a127fcd 04000000"))


def test_markers_of_rm500q(tmp_path: Path) -> None:
    found = files(release(tmp_path / "p", "rm500q"))
    assert found["update/sbl1.mbn"].startswith(b"SIM-SBL\nrm500q\n")
    assert found["update/sdxprairie-sysfs.ubi"].startswith(
        b"SIM-FIRMWARE RM500QGLAAR13A03M4G_01.002.01.002\n"
    )
    assert found["update/usrdata.ubi"].startswith(b"SIM-IMAGE usrdata\n")


@pytest.mark.parametrize(("family", "least", "most"), [("ec25", 165, 175), ("rm500q", 265, 275)])
def test_programmer_is_an_elf_as_a_boot_rom_reads_it(family: str, least: int, most: int) -> None:
    layout = layout_of(family)
    data = programmer(layout)
    assert len(data) == layout.programmer_bytes
    assert least << 10 <= len(data) <= most << 10
    assert data[:7] == b"\x7fELF\x01\x01\x01"
    (machine,) = struct.unpack_from("<H", data, 0x12)
    (headers_at,) = struct.unpack_from("<I", data, 0x1C)
    header_bytes, entry_bytes, count = struct.unpack_from("<HHH", data, 0x28)
    assert (machine, headers_at, header_bytes, entry_bytes, count) == (40, 0x34, 0x34, 0x20, 3)
    segments = [struct.unpack_from("<8I", data, 0x34 + n * 0x20) for n in range(3)]
    assert [segment[1] for segment in segments] == [0, 0x1000, 0x2000]
    assert (segments[1][6] >> 24) & 7 == 2  # the hash segment
    assert segments[2][0] == 1  # PT_LOAD
    assert segments[2][1] + segments[2][4] == len(data)
    assert data[0x2000:].startswith(f"SIM-PROGRAMMER {family}\n".encode())


@pytest.mark.parametrize("family", FAMILIES)
def test_rawprogram_has_the_bad_habits_of_the_real_one(family: str) -> None:
    layout = layout_of(family)
    text = rawprogram(layout)
    assert "label" not in text
    assert r'filename="..\sbl1.mbn"' in text
    elements = parse_rawprogram(text.encode()).elements
    first, last = elements[0], elements[-1]
    assert isinstance(first, Program)
    assert first.place.start_sector == 0
    assert isinstance(last, Erase)
    assert last.place.start_sector == 0
    kept = calibration_sectors(layout)
    for element in elements:
        assert not isinstance(element, VendorLine)
        place = element.place
        sectors = range(place.start_sector, place.start_sector + place.num_sectors)
        assert kept.isdisjoint(sectors)


def test_one_line_of_the_rawprogram_word_for_word() -> None:
    assert (
        '  <program PAGES_PER_BLOCK="64" SECTOR_SIZE_IN_BYTES="2048" filename="..\\tz.mbn" '
        'num_partition_sectors="768" physical_partition_number="0" start_sector="13184"/>\n'
    ) in rawprogram(LAYOUTS["ec25"])


@pytest.mark.parametrize("family", FAMILIES)
def test_partition_table_and_patch_agree_with_the_layout(family: str, tmp_path: Path) -> None:
    layout = layout_of(family)
    found = parse_partition_table(partition_table(layout), layout.sector_size_bytes)
    assert [p.name for p in found.partitions] == [part.name for part in layout.parts]
    assert found.partitions[-1].num_blocks is None
    patch = release(tmp_path / "p", family) / "update/firehose" / f"patch_{layout.suffix}.xml"
    check_patch(patch.read_bytes())


@pytest.mark.parametrize("family", FAMILIES)
def test_factory_content_is_that_of_the_release_plus_calibration(
    family: str, tmp_path: Path
) -> None:
    layout = layout_of(family)
    version = layout.older_version
    folder = write_package(tmp_path / "p", family=family, version=version, size_mb=3)
    flash: dict[int, bytes] = {}
    for start_sector, data in factory_images(family, version, 3):
        assert start_sector % layout.pages_per_block == 0
        for offset in range(0, len(data), layout.sector_size_bytes):
            sector = start_sector + offset // layout.sector_size_bytes
            assert sector not in flash
            flash[sector] = data[offset : offset + layout.sector_size_bytes]
    for part in layout.programmed:
        image = (folder / "update" / part.image).read_bytes()
        start = layout.start_sector(part)
        sectors = range(start, start + -(-len(image) // layout.sector_size_bytes))
        assert b"".join(flash[sector] for sector in sectors) == image
    for part in layout.calibration:
        marker = f"SIM-CALIBRATION {part.name}\n".encode()
        assert flash[layout.start_sector(part)].startswith(marker)


def test_calibration_is_the_units_own_and_the_firmware_is_not() -> None:
    version = LAYOUTS["ec25"].older_version
    one = dict(factory_images("ec25", version, 1, seed=1))
    two = dict(factory_images("ec25", version, 1, seed=2))
    kept = calibration_sectors(LAYOUTS["ec25"])
    assert {sector for sector in one if one[sector] != two[sector]} == kept & one.keys()
    assert kept & one.keys()
